#include "control-plane/agent-api/routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/text.h"
#include "control-plane-client/protocol.h"
#include "control-plane/auth/credential.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/reports.h"
#include "control-plane/dispatch/sessions.h"
#include "control-plane/dispatch/watch.h"
#include "control-plane/registry/registry.h"
#include "control-plane/schedule/book.h"
#include "control-plane/store/enroll_tokens.h"

namespace backstay::agent_api {
namespace {

using Stirred = std::function<void(const dispatch::Stir&)>;

constexpr std::size_t kReportsMost = 100;
constexpr std::size_t kNameMost = 100;

// Messages between programs: fields that this version does not know are ignored.
template <class T>
Result<T> message(const api::Call& call) {
    const json::Value value = TRY(api::body_value(call));
    T out{};
    json::Faults faults;
    if (!json::decode_into(value, out, faults, json::kLenient)) return api::problem(faults);
    return out;
}

// This version and the one before. A newer agent may mean what this control plane does not understand: it is refused
// as a whole, and keeps what it has to tell.
Result<> check_version(std::int32_t version) {
    constexpr std::int32_t kNewest = control_plane::kProtocolVersion;
    constexpr std::int32_t kOldest = std::max(kNewest - 1, 1);
    if (version >= kOldest && version <= kNewest) return {};
    const std::string_view mend = version > kNewest ? "upgrade the control plane" : "upgrade the agent";
    return api::rule_broken("protocol_unsupported", "protocolVersion",
                            fmt::format("the agent speaks version {}, this control plane {}: {}", version,
                                        kOldest == kNewest ? fmt::format("version {}", kNewest)
                                                           : fmt::format("versions {} and {}", kOldest, kNewest),
                                        mend));
}

// Looked up before the transaction for its organization, and inside of it for what is still true.
struct Newcomer {
    control_plane::EnrollRequest request;
    store::EnrollToken token;
};

Result<Newcomer> newcomer(const api::Call& call, sql::Database& db) {
    Newcomer out;
    out.request = TRY(message<control_plane::EnrollRequest>(call));
    TRY(check_version(out.request.protocol_version));
    auto token = TRY(store::EnrollTokens(db).usable(auth::hash_secret(out.request.token), call.now));
    if (!token) return api::problem(401, "invalid_token", "this enrolment token is unknown, used or expired");
    out.token = std::move(*token);
    return out;
}

Result<std::string> organization_of_newcomer(const api::Call& call, sql::Database& db) {
    Newcomer found = TRY(newcomer(call, db));
    return std::move(found.token.organization_id);
}

Result<http::Response> enroll(api::Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto [request, token] = TRY(newcomer(call, db));
    store::Agent wanted;
    wanted.organization_id = token.organization_id;
    wanted.hostname = cut_utf8(request.hostname, 253);
    wanted.name = token.name.empty() ? cut_utf8(wanted.hostname, kNameMost) : token.name;
    if (!registry::check_name("hostname", wanted.name)) wanted.name = "agent";
    wanted.version = request.agent_version;
    wanted.protocol_version = request.protocol_version;
    const std::string credential = auth::new_secret(auth::kAgentPrefix);
    const store::Agent agent = TRY(store::Agents(db).create(wanted, auth::hash_secret(credential), call.now));
    TRY(store::EnrollTokens(db).use(token.id, agent.id, call.now));
    control_plane::EnrollAnswer answer;
    answer.agent_id = agent.id;
    answer.organization_id = agent.organization_id;
    answer.name = agent.name;
    answer.credential = credential;
    return api::json_answer(200, json::encode(answer));
}

Result<http::Response> heartbeat(api::Call& call, sql::Transaction& transaction, const dispatch::OpenDestination& open,
                                 const Stirred& stirred) {
    sql::Database& db = transaction.database();
    const auto beat = TRY(message<control_plane::Heartbeat>(call));
    TRY(check_version(beat.protocol_version));
    const store::Agent& agent = *call.agent;
    dispatch::Stir stir;
    auto answer = TRY(dispatch::take_heartbeat(db, agent, beat, call.now, stir));
    TRY(dispatch::watch_spaces(db, agent, beat, open, call.now));
    TRY(schedule::answer_schedules(db, agent, beat, open, call.now, answer));
    call.after_commit.emplace_back([stirred, stir] { stirred(stir); });
    return api::json_answer(200, json::encode(answer));
}

// Which report it is, of one that cannot be read as a whole.
struct ReportName {
    std::string job_id;
    std::string operation_id;
    std::int64_t fence = 0;
    std::int64_t seq = 0;
};
BOOST_DESCRIBE_STRUCT(ReportName, (), (job_id, operation_id, fence, seq))

struct Batch {
    control_plane::ReportBatch batch;
    dispatch::ReportFaults faults;
};

// One report that is not understood does not hide the others; only one that cannot even be named refuses all.
Result<> read_report(const json::Value& value, Batch& into) {
    control_plane::Report report;
    json::Faults faults;
    if (!json::decode_into(value, report, faults, json::kLenient)) {
        ReportName name;
        json::Faults unnamed;
        const bool named =
            json::decode_into(value, name, unnamed, json::kLenient) && !name.job_id.empty() && name.seq > 0;
        if (!named) return api::problem(faults);
        report = {};
        report.job_id = std::move(name.job_id);
        report.operation_id = std::move(name.operation_id);
        report.fence = name.fence;
        report.seq = name.seq;
        const json::Value* kind = value.get_object().if_contains("kind");
        if (kind != nullptr && *kind == json::Value("finished")) report.kind = control_plane::ReportKind::finished;
        into.faults.emplace(into.batch.reports.size(), api::problem(faults).message());
    }
    into.batch.reports.push_back(std::move(report));
    return {};
}

struct Envelope {
    std::string instance_id;
};
BOOST_DESCRIBE_STRUCT(Envelope, (), (instance_id))

Result<Batch> read_batch(const api::Call& call) {
    Batch out;
    out.batch.instance_id = TRY(message<Envelope>(call)).instance_id;
    const json::Value value = TRY(api::body_value(call));
    const json::Value* list = value.is_object() ? value.get_object().if_contains("reports") : nullptr;
    if (list == nullptr) return out;
    if (!list->is_array()) return api::problem({{"reports", "must be a list"}});
    if (list->get_array().size() > kReportsMost) {
        return api::rule_broken("too_many_reports", "reports", "at most 100 at once");
    }
    for (const json::Value& item : list->get_array()) TRY(read_report(item, out));
    return out;
}

Result<http::Response> reports(api::Call& call, sql::Transaction& transaction, const Stirred& stirred) {
    sql::Database& db = transaction.database();
    const auto [batch, faults] = TRY(read_batch(call));
    const store::Agent& agent = *call.agent;
    dispatch::Stir stir;
    const auto answer = TRY(dispatch::take_reports(db, agent, batch, call.now, stir, faults));
    TRY(dispatch::note_seen(db, agent, call.now));
    call.after_commit.emplace_back([stirred, stir] { stirred(stir); });
    return api::json_answer(200, json::encode(answer));
}

}  // namespace

void add_agent_routes(api::RouteTable& routes, AssignmentPolls& polls, dispatch::OpenDestination open,
                      Stirred stirred) {
    const auto spec = [](std::string_view pattern, api::Access access) {
        api::RouteSpec out;
        out.method = "POST";
        out.pattern = pattern;
        out.access = access;
        return out;
    };
    routes.add_write(spec("/agent/v1/enroll", api::Access::open), enroll, organization_of_newcomer);
    routes.add_write(spec("/agent/v1/heartbeat", api::Access::agent),
                     [stirred, open = std::move(open)](api::Call& call, sql::Transaction& t) {
                         return heartbeat(call, t, open, stirred);
                     });
    routes.add_write(spec("/agent/v1/reports", api::Access::agent),
                     [stirred](api::Call& call, sql::Transaction& t) { return reports(call, t, stirred); });
    routes.add_loop(spec("/agent/v1/assignments", api::Access::agent),
                    [&polls](api::Call call, std::unique_ptr<http::Exchange> exchange) {
                        polls.open(std::move(call), std::move(exchange));
                    });
}

}  // namespace backstay::agent_api
