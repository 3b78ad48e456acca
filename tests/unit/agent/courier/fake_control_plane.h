// A control plane that holds state, on a real socket: takes reports in order and each once, hands out what it has, can
// go away and come back, and can be told to refuse.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "control-plane-client/protocol.h"
#include "tests/support/raw_server.h"

namespace backstay {

class FakeControlPlane {
public:
    FakeControlPlane() : server_([this](int socket) { serve(socket); }) {}
    std::string url() const { return server_.url(""); }

    void set_away(bool away) {
        locked([&] { away_ = away; });
    }
    void refuse(const std::string& job_id) {
        locked([&] { refused_ = job_id; });
    }
    // 400 for any batch that holds a report of this job.
    void not_understand(const std::string& job_id) {
        locked([&] { strange_ = job_id; });
    }
    // This report alone is rejected.
    void reject(const std::string& job_id, std::int64_t seq) {
        locked([&] { rejected_ = {job_id, seq}; });
    }
    void offer(const control_plane::Assignment& assignment) {
        locked([&] { offers_.push_back(assignment); });
    }
    void ask(control_plane::HeartbeatAnswer answer) {
        locked([&] { answer_ = std::move(answer); });
    }

    std::vector<control_plane::Report> reports() {
        std::vector<control_plane::Report> all;
        locked([&] { all = reports_; });
        return all;
    }
    std::vector<control_plane::Heartbeat> heartbeats() {
        std::vector<control_plane::Heartbeat> all;
        locked([&] { all = heartbeats_; });
        return all;
    }
    int calls() {
        int count = 0;
        locked([&] { count = calls_; });
        return count;
    }

private:
    void locked(const std::function<void()>& act) {
        const std::lock_guard lock(mutex_);
        act();
    }

    void serve(int socket) {
        using backstay::testing::RawServer;
        for (std::string text = RawServer::read_request(socket); !text.empty();
             text = RawServer::read_request(socket)) {
            const std::string path = text.substr(5, text.find(' ', 5) - 5);
            const std::string body = text.substr(text.find("\r\n\r\n") + 4);
            std::string status = "200 OK";
            std::string answer;
            locked([&] {
                ++calls_;
                if (away_) status = "503 Service Unavailable";
                if (!away_) answer = respond(path, body, status);
            });
            if (answer.empty()) answer = "{}";
            RawServer::send_text(
                socket, fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, answer.size(), answer));
        }
    }

    std::string respond(const std::string& path, const std::string& body, std::string& status) {
        if (path == "/agent/v1/heartbeat") {
            heartbeats_.push_back(*json::decode_text<control_plane::Heartbeat>(body, json::kLenient));
            return json::encode_text(answer_);
        }
        if (path == "/agent/v1/assignments")
            return json::encode_text(control_plane::AssignmentsAnswer{offers_, {}, {}});
        const auto batch = *json::decode_text<control_plane::ReportBatch>(body, json::kLenient);
        for (const auto& report : batch.reports) {
            if (report.job_id == strange_) {
                status = "400 Bad Request";
                return "";
            }
        }
        return json::encode_text(take(batch));
    }

    control_plane::ReportAnswer take(const control_plane::ReportBatch& batch) {
        std::map<std::string, control_plane::ReportAck> acks;
        for (const auto& report : batch.reports) {
            control_plane::ReportAck& ack = acks[report.job_id];
            ack.job_id = report.job_id;
            ack.fence = report.fence;
            ack.refused = report.job_id == refused_;
            std::int64_t& last = stored_[report.job_id];
            if (!ack.refused && report.seq == last + 1) {
                last = report.seq;
                if (rejected_ == std::pair(report.job_id, report.seq)) {
                    ack.rejected.push_back({report.seq, "not_understood", "step: what is this?"});
                } else {
                    reports_.push_back(report);
                }
            }
            ack.seq = last;
        }
        control_plane::ReportAnswer answer;
        for (const auto& [id, ack] : acks) answer.acks.push_back(ack);
        return answer;
    }

    std::mutex mutex_;
    bool away_ = false;
    int calls_ = 0;
    std::string refused_;
    std::string strange_;
    std::pair<std::string, std::int64_t> rejected_;
    control_plane::HeartbeatAnswer answer_;
    std::vector<control_plane::Assignment> offers_;
    std::vector<control_plane::Heartbeat> heartbeats_;
    std::vector<control_plane::Report> reports_;
    std::map<std::string, std::int64_t> stored_;
    backstay::testing::RawServer server_;
};

}  // namespace backstay
