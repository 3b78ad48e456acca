// Load on a control plane, in the messages of control-plane-client/protocol.h:
//   load-tool agents  HOST PORT FILE           agents that heartbeat and wait for work ("INSTANCE CREDENTIAL" a line),
//   as
//                                              the real one does; prints "ready", then "JOB MICROSECONDS" of each that
//                                              is handed out, which ends at once; until its input ends
//   load-tool reports HOST PORT FILE SECONDS BATCH   agents that report of running jobs as fast as they are answered
//                                              ("INSTANCE CREDENTIAL JOB FENCE"); prints reports, seconds, p50, p99 in
//                                              ms
//   load-tool streams HOST PORT PATH TOKEN COUNT     event streams of one operation; prints "ready", and when its input
//                                              ends, events, p50, p99 in ms since the moment that each names
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>

#include "agent/courier/retry.h"
#include "common/clock.h"
#include "common/json/json.h"
#include "control-plane-client/protocol.h"
#include "tests/bench/load/crowd.h"

namespace backstay::load {
namespace {

using control_plane::Assignment;
using control_plane::AssignmentsAnswer;
using control_plane::Report;
using control_plane::ReportBatch;
using control_plane::ReportKind;

constexpr std::int64_t kHeartbeatMs = 20'000;
constexpr std::int64_t kPollMs = 25'000;

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Timestamp now() { return Timestamp{now_us() / 1000}; }

void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

std::string quantiles(std::vector<double> ms) {
    if (ms.empty()) return "- -";
    std::sort(ms.begin(), ms.end());
    const auto at = [&](double part) {
        return ms[static_cast<std::size_t>(part * static_cast<double>(ms.size() - 1))];
    };
    return fmt::format("{:.2f} {:.2f}", at(0.5), at(0.99));
}

template <class Message>
std::string call(std::string_view what, const std::string& credential, const Message& message) {
    return request_text("POST", fmt::format("/agent/v1/{}", what), credential, json::encode_text(message));
}

void expect_ok(const Crowd::Answer& answer) {
    if (answer.status != 200) give_up(fmt::format("answered {}: {}", answer.status, answer.body.substr(0, 300)));
}

struct Agent {
    std::string instance;
    std::string credential;
    std::string job;
    std::int64_t fence = 0;
    std::int64_t seq = 3;  // the job was accepted and planned before
    std::int64_t due_ms = std::numeric_limits<std::int64_t>::max();
    bool talking = false;  // on the line that heartbeats and reports go
    std::int64_t poll_due_ms = std::numeric_limits<std::int64_t>::max();
    std::vector<Assignment> taken;  // until the control plane knows how they ended
    std::size_t told = 0;           // of them, in the message that waits for its answer
    Retry talk_again;
    Retry poll_again;
};

std::vector<Agent> agents_of(const char* path, bool with_jobs) {
    std::ifstream file(path);
    std::vector<Agent> agents;
    while (true) {
        Agent agent;  // each with chances of its own
        if (!(file >> agent.instance >> agent.credential)) return agents;
        if (with_jobs && !(file >> agent.job >> agent.fence)) return agents;
        agents.push_back(std::move(agent));
    }
}

// Waiting agents: two lines each, as the courier's two threads keep them. Even lines wait, odd lines talk.
class Idle {
public:
    Idle(const std::string& host, std::uint16_t port, std::vector<Agent> agents)
        : agents_(std::move(agents)), crowd_(host, port, [this](const Crowd::Answer& answer) { hear(answer); }) {}

    void run() {
        const auto count = static_cast<std::int64_t>(agents_.size());
        for (std::int64_t i = 0; i < count; ++i) {
            const std::size_t waiting = crowd_.connect();
            crowd_.connect();
            beat(agents_[static_cast<std::size_t>(i)], waiting + 1);
            poll(agents_[static_cast<std::size_t>(i)], waiting);
            while (static_cast<std::int64_t>(heard_) < i - 200) ramp();  // a server's backlog is finite
        }
        while (static_cast<std::int64_t>(heard_) < count) ramp();
        for (std::int64_t i = 0; i < count; ++i) {
            agents_[static_cast<std::size_t>(i)].due_ms = now().ms + 1 + i * kHeartbeatMs / count;
        }
        say("ready");
        while (!crowd_.turn(20, STDIN_FILENO)) do_due();
    }

private:
    void ramp() {
        crowd_.turn(20);
        do_due();
    }

    void do_due() {
        if (now().ms < looked_ms_ + 20) return;
        looked_ms_ = now().ms;
        for (std::size_t i = 0; i < agents_.size(); ++i) {
            if (agents_[i].due_ms <= looked_ms_) beat(agents_[i], 2 * i + 1);
            if (agents_[i].poll_due_ms <= looked_ms_) poll(agents_[i], 2 * i);
        }
    }

    void poll(Agent& agent, std::size_t line) {
        agent.poll_due_ms = std::numeric_limits<std::int64_t>::max();
        crowd_.send(line, call("assignments", agent.credential,
                               control_plane::AssignmentsRequest{agent.instance, kPollMs, 1, 0}));
    }

    void beat(Agent& agent, std::size_t line) {
        agent.due_ms = now().ms + kHeartbeatMs;
        if (agent.talking) return;
        agent.talking = true;
        control_plane::Heartbeat message;
        message.instance_id = agent.instance;
        message.agent_version = "load";
        message.sent_at = now();
        crowd_.send(line, call("heartbeat", agent.credential, message));
    }

    // Takes what was handed out and ends it, so that the environment is free for the next.
    void end_taken(Agent& agent, std::size_t line) {
        if (agent.talking || agent.taken.empty()) return;
        agent.talking = true;
        agent.told = agent.taken.size();
        ReportBatch batch{agent.instance, {}};
        for (const Assignment& one : agent.taken) {
            for (const ReportKind kind : {ReportKind::accepted, ReportKind::finished}) {
                Report report;
                report.job_id = report.operation_id = one.job_id;
                report.fence = one.fence;
                report.seq = kind == ReportKind::accepted ? 1 : 2;
                report.at = now();
                report.kind = kind;
                if (kind == ReportKind::finished) {
                    report.finished.emplace();
                    report.finished->outcome = control_plane::JobOutcome::cancelled;
                }
                batch.reports.push_back(std::move(report));
            }
        }
        crowd_.send(line, call("reports", agent.credential, batch));
    }

    // Too much waits: as the real agent, it comes again later, and later each time.
    void come_again(Agent& agent, bool talked) {
        const Error refused(Errc::unavailable, "too much waits");
        if (talked) {
            agent.talking = false;
            agent.told = 0;
            agent.due_ms = now().ms + agent.talk_again.failed(refused);
        } else {
            agent.poll_due_ms = now().ms + agent.poll_again.failed(refused);
        }
    }

    // The same may be offered twice: what was said of its end may still be under way.
    static bool holds(const Agent& agent, const std::string& job) {
        return std::any_of(agent.taken.begin(), agent.taken.end(),
                           [&](const Assignment& one) { return one.job_id == job; });
    }

    void hear(const Crowd::Answer& answer) {
        const std::int64_t at = now_us();
        Agent& agent = agents_[answer.line / 2];
        if (answer.status == 503) return come_again(agent, answer.line % 2 == 1);
        expect_ok(answer);
        const std::size_t talking = answer.line | 1U;
        if (answer.line == talking) {
            agent.talking = false;
            agent.talk_again.succeeded();
            agent.taken.erase(agent.taken.begin(), agent.taken.begin() + static_cast<std::ptrdiff_t>(agent.told));
            agent.told = 0;
            ++heard_;
        } else {
            const auto message = json::decode_text<AssignmentsAnswer>(answer.body);
            if (!message) give_up(message.error().message());
            agent.poll_again.succeeded();
            for (const Assignment& one : message->assignments) {
                if (holds(agent, one.job_id)) continue;
                say(fmt::format("{} {}", one.job_id, at));
                agent.taken.push_back(one);
            }
            poll(agent, answer.line);
        }
        end_taken(agent, talking);
    }

    std::vector<Agent> agents_;
    std::uint64_t heard_ = 0;
    std::int64_t looked_ms_ = 0;
    Crowd crowd_;
};

// Half of what agents tell is progress, half are steps.
ReportBatch next_batch(Agent& agent, std::int64_t size) {
    ReportBatch batch{agent.instance, {}};
    for (std::int64_t i = 0; i < size; ++i) {
        Report report;
        report.job_id = report.operation_id = agent.job;
        report.fence = agent.fence;
        report.seq = agent.seq++;
        report.at = now();
        if (report.seq % 2 == 0) {
            report.kind = ReportKind::progress;
            report.progress.emplace();
            report.progress->id = agent.job;
            report.progress->status = "running";
            report.progress->at = report.at;
        } else {
            report.kind = ReportKind::step;
            report.step.emplace();
            report.step->name = "db_dump";
            report.step->status = StepStatus::running;
            report.step->started_at = report.at;
        }
        batch.reports.push_back(std::move(report));
    }
    return batch;
}

void report_all(const std::string& host, std::uint16_t port, std::vector<Agent> agents, std::int64_t seconds,
                std::int64_t size) {
    std::vector<double> took;
    std::vector<std::int64_t> sent(agents.size());
    std::int64_t taken = 0;
    const std::int64_t begun = now_us(), end = begun + seconds * 1'000'000;
    Crowd* all = nullptr;
    const auto send = [&](std::size_t line) {
        sent[line] = now_us();
        all->send(line, call("reports", agents[line].credential, next_batch(agents[line], size)));
    };
    Crowd crowd(host, port, [&](const Crowd::Answer& answer) {
        expect_ok(answer);
        const auto message = json::decode_text<control_plane::ReportAnswer>(answer.body);
        if (!message) give_up(message.error().message());
        for (const auto& ack : message->acks) {
            if (ack.refused || !ack.rejected.empty()) give_up("refused: " + std::string(answer.body));
        }
        taken += size;
        took.push_back(static_cast<double>(now_us() - sent[answer.line]) / 1000);
        if (now_us() < end) send(answer.line);
    });
    all = &crowd;
    for (std::size_t i = 0; i < agents.size(); ++i) send(crowd.connect());
    while (took.empty() || now_us() < end) crowd.turn(100);
    say(fmt::format("{} {:.3f} {}", taken, static_cast<double>(now_us() - begun) / 1e6, quantiles(std::move(took))));
}

void hold_streams(const std::string& host, std::uint16_t port, const std::string& path, const std::string& token,
                  std::size_t count) {
    std::vector<double> ages;
    std::size_t open = 0;
    Crowd crowd(host, port, [&](const Crowd::Answer& answer) {
        const std::int64_t at = now_us();
        expect_ok(answer);
        if (answer.body.empty()) ++open;  // the head
        constexpr std::string_view kAt = "\"at\":\"";
        for (std::size_t i = answer.body.find(kAt); i != std::string_view::npos; i = answer.body.find(kAt, i + 1)) {
            const std::string_view rest = answer.body.substr(i + kAt.size());
            const auto moment = parse_rfc3339(rest.substr(0, rest.find('"')));
            if (moment) ages.push_back(static_cast<double>(at) / 1000 - static_cast<double>(*moment));
        }
    });
    const std::string request = request_text("GET", path, token, "");
    for (std::size_t i = 0; i < count; ++i) {
        crowd.send(crowd.connect(), request, true);
        while (open + 100 < i) crowd.turn(1000);
    }
    while (open < count) crowd.turn(1000);
    ages.clear();
    say("ready");
    while (!crowd.turn(1000, STDIN_FILENO)) {
    }
    const std::size_t events = ages.size();
    say(fmt::format("{} {}", events, quantiles(std::move(ages))));
}

int run(const std::vector<std::string>& words) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (words.size() < 4) return 2;
    const auto number = [&](std::size_t i) { return std::strtoll(words.at(i).c_str(), nullptr, 10); };
    const auto port = static_cast<std::uint16_t>(number(2));
    if (words[0] == "agents" && words.size() == 4) {
        Idle(words[1], port, agents_of(words[3].c_str(), false)).run();
    } else if (words[0] == "reports" && words.size() == 6) {
        report_all(words[1], port, agents_of(words[3].c_str(), true), number(4), number(5));
    } else if (words[0] == "streams" && words.size() == 6) {
        hold_streams(words[1], port, words[3], words[4], static_cast<std::size_t>(number(5)));
    } else {
        return 2;
    }
    return 0;
}

}  // namespace
}  // namespace backstay::load

int main(int argc, char** argv) { return backstay::load::run({argv + 1, argv + argc}); }
