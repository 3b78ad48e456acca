// docs/socket.md is what the socket really does: the same routes, and examples with the members of the real messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "agent/adoption/report.h"
#include "agent/local-api/routes.h"
#include "agent/state/state.h"
#include "tests/support/temp_dir.h"

namespace backstay::local_api {
namespace {

constexpr json::DecodeOptions kExact{json::Names::camel, json::Unknown::refuse, json::Missing::refuse};

// A route's section: its text, and its examples by what they are (request, answer, error, accepted).
struct Told {
    std::string text;
    std::map<std::string, std::string> examples;
};

Told told_of(const std::string& text) {
    Told told{text, {}};
    const std::string fence = "```json ";
    for (std::size_t at = text.find(fence); at != text.npos; at = text.find(fence, at + 1)) {
        const std::size_t line = text.find('\n', at);
        const std::string kind = text.substr(at + fence.size(), line - at - fence.size());
        told.examples[kind] = text.substr(line + 1, text.find("```", line) - line - 1);
    }
    return told;
}

// By "GET /v1/status"; what stands before the first one is "".
std::map<std::string, Told> document() {
    std::ifstream file("docs/socket.md");
    std::map<std::string, Told> sections;
    std::string line;
    std::string title;
    std::string text;
    const auto end = [&] { sections[title] = told_of(std::exchange(text, "")); };
    while (std::getline(file, line)) {
        if (line.starts_with("#")) {
            end();
            title = line.starts_with("### `") ? line.substr(5, line.size() - 6) : line;
        }
        text += line + "\n";
    }
    end();
    return sections;
}

template <class Message>
void expect_exact(const std::string& text, const std::string& what) {
    const auto decoded = json::decode_text<Message>(text, kExact);
    EXPECT_TRUE(decoded) << what << ": " << decoded.error().message() << "\n" << text;
}

using Check = void (*)(const std::string& text, const std::string& what);

const std::map<std::string, Check>& answers() {
    static const std::map<std::string, Check> all = {
        {"GET /v1/status", expect_exact<StatusAnswer>},
        {"GET /v1/why", expect_exact<WhyAnswer>},
        {"GET /v1/jobs", expect_exact<JobList>},
        {"GET /v1/jobs/{id}", expect_exact<JobDetail>},
        {"GET /v1/backups", expect_exact<BackupList>},
        {"GET /v1/snapshots", expect_exact<SnapshotList>},
        {"GET /v1/wal", expect_exact<WalAnswer>},
        {"GET /v1/refused-reports", expect_exact<RefusedReportList>},
        {"GET /v1/inventory", expect_exact<control_plane::Inventory>},
        {"GET /v1/check", expect_exact<CheckAnswer>},
        {"GET /v1/limits", expect_exact<LimitsView>},
        {"POST /v1/report-again", expect_exact<ReportAgainAnswer>},
        {"POST /v1/wal-setup", expect_exact<WalSetupAnswer>},
        {"POST /v1/adoptions", expect_exact<adoption::AdoptionReport>},
    };
    return all;
}

const std::map<std::string, Check>& requests() {
    static const std::map<std::string, Check> all = {
        {"POST /v1/backups", expect_exact<BackupRequest>},
        {"POST /v1/restores", expect_exact<RestoreRequest>},
        {"POST /v1/undos", expect_exact<UndoRequest>},
        {"POST /v1/verifications", expect_exact<VerifyRequest>},
        {"POST /v1/copies", expect_exact<CopyRequest>},
        {"POST /v1/base-backups", expect_exact<BaseBackupRequest>},
        {"POST /v1/snapshots", expect_exact<SnapshotRequest>},
        {"POST /v1/rollbacks", expect_exact<RollbackRequest>},
        {"PUT /v1/limits", expect_exact<LimitsView>},
        {"POST /v1/report-again", expect_exact<ReportAgainRequest>},
        {"POST /v1/wal-setup", expect_exact<WalSetupRequest>},
        {"POST /v1/adoptions", expect_exact<adoption::AdoptionRequest>},
    };
    return all;
}

// Optional members may be left out of what is decoded, but not out of what is told.
void expect_all_members(const std::string& example, const json::Value& full, const std::string& what) {
    const auto shown = json::parse(example);
    ASSERT_TRUE(shown && shown->is_object()) << what;
    for (const auto& member : full.as_object()) {
        EXPECT_TRUE(shown->as_object().contains(member.key())) << what << " does not show " << member.key();
    }
}

std::set<std::string> served() {
    testing::TempDir folder;
    AgentConfig config;
    config.state_dir = folder.path();
    EXPECT_TRUE(open_state(folder.path()));
    const SystemClock clock;
    Settings settings(config, "agent", clock);
    Worker worker(settings, {[](const std::string&) {}, [](const std::string&, const Progress&) {}});
    const auto loop = Loop::create();
    const Api api(ApiParts{**loop, settings, worker, [] { return ControlPlaneView{}; }, [] {},
                           [] { return std::vector<archiver::ClusterStatus>(); }, Timestamp{0}});
    std::set<std::string> out;
    for (const auto& [method, pattern] : api.routes()) out.insert(method + " " + pattern);
    return out;
}

TEST(SocketDocument, TellsEveryRouteThatIsServedAndNoOther) {
    std::set<std::string> told;
    for (const auto& [title, section] : document()) {
        if (!title.empty() && !title.starts_with("#")) told.insert(title);
    }
    EXPECT_EQ(told, served());
}

TEST(SocketDocument, ShowsAnswersAndRequestsAsTheyAre) {
    auto sections = document();
    for (const auto& [route, check] : answers()) {
        ASSERT_TRUE(sections[route].examples.contains("answer")) << route;
        check(sections[route].examples["answer"], route);
    }
    for (const auto& [route, check] : requests()) {
        ASSERT_TRUE(sections[route].examples.contains("request")) << route;
        check(sections[route].examples["request"], route);
    }
    for (const auto& [title, section] : sections) {
        if (section.examples.contains("error")) expect_exact<ErrorBody>(section.examples.at("error"), title);
        if (section.examples.contains("accepted")) expect_exact<Accepted>(section.examples.at("accepted"), title);
    }
}

TEST(SocketDocument, LeavesOutNoMember) {
    auto sections = document();
    const auto request = [&](const std::string& route) { return sections[route].examples["request"]; };
    const auto answer = [&](const std::string& route) { return sections[route].examples["answer"]; };
    expect_all_members(request("POST /v1/backups"), json::encode(BackupRequest{}), "backups");
    expect_all_members(request("POST /v1/restores"), json::encode(RestoreRequest{}), "restores");
    expect_all_members(request("POST /v1/verifications"), json::encode(VerifyRequest{}), "verifications");
    expect_all_members(request("POST /v1/copies"), json::encode(CopyRequest{}), "copies");
    expect_all_members(request("POST /v1/base-backups"), json::encode(BaseBackupRequest{}), "base backups");
    expect_all_members(request("POST /v1/snapshots"), json::encode(SnapshotRequest{}), "snapshots");
    expect_all_members(request("POST /v1/rollbacks"), json::encode(RollbackRequest{}), "rollbacks");
    expect_all_members(request("PUT /v1/limits"), json::encode(LimitsView{}), "limits");
    expect_all_members(request("POST /v1/wal-setup"), json::encode(WalSetupRequest{}), "wal-setup");
    expect_all_members(request("POST /v1/adoptions"), json::encode(adoption::AdoptionRequest{}), "adoptions");
    expect_all_members(answer("POST /v1/adoptions"), json::encode(adoption::AdoptionReport{}), "adoptions");
    expect_all_members(answer("GET /v1/limits"), json::encode(LimitsView{}), "limits");
    // Optional members of what lies deeper: the first of each list.
    const auto first = [&](const std::string& route, const char* list) {
        const auto shown = json::parse(answer(route));
        return json::serialize(shown->as_object().at(list).as_array().at(0));
    };
    expect_all_members(answer("GET /v1/status"), json::encode(StatusAnswer{}), "status");
    expect_all_members(first("GET /v1/status", "wal"), json::encode(WalView{}), "status, wal");
    expect_all_members(first("GET /v1/status", "destinationStates"), json::encode(DestinationView{}), "destinations");
    expect_all_members(first("GET /v1/status", "upcoming"), json::encode(UpcomingView{}), "upcoming");
    expect_all_members(first("GET /v1/why", "reasons"), json::encode(WhyReason{}), "reasons");
    expect_all_members(first("GET /v1/why", "proven"), json::encode(ProvenView{}), "proven");
    expect_all_members(first("GET /v1/jobs", "jobs"), json::encode(JobView{}), "jobs");
    expect_all_members(first("GET /v1/backups", "backups"), json::encode(BackupView{}), "backups");
    expect_all_members(first("GET /v1/snapshots", "snapshots"), json::encode(SnapshotView{}), "snapshots");
    expect_all_members(first("GET /v1/wal", "archives"), json::encode(WalArchiveView{}), "archives");
}

}  // namespace
}  // namespace backstay::local_api
