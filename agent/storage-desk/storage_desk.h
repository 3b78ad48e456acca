// Answers requests of the control plane to look into local destinations of this host (control-plane-client/README.md):
// lists, inspects, removes, sends and takes files, never outside of the folders that the configuration allows. Threads
// of its own, so that neither jobs nor the courier wait for a slow receiver.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/config/config.h"
#include "control-plane-client/client.h"

namespace backstay {

class StorageDesk {
public:
    explicit StorageDesk(std::function<AgentConfig()> config) : config_(std::move(config)) {}
    ~StorageDesk() { stop(); }
    StorageDesk(const StorageDesk&) = delete;
    StorageDesk& operator=(const StorageDesk&) = delete;

    void start();
    // What is on its way is broken off.
    void stop();
    // Any thread. More than can wait are dropped: who asked gives up by itself. A request to cancel ends the one that
    // it names.
    void take(control_plane::StorageRequest request, control_plane::ClientConfig contact);

private:
    struct Waiting {
        control_plane::StorageRequest request;
        control_plane::ClientConfig contact;
    };
    // Transfers take long: they have threads of their own.
    struct Queue {
        std::deque<Waiting> waiting;
    };
    void serve(Queue& queue);
    void cancel(const std::string& request_id);

    const std::function<AgentConfig()> config_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    Queue questions_;
    Queue transfers_;
    std::map<std::string, std::stop_source> running_;  // by request id
    std::vector<std::thread> threads_;
};

}  // namespace backstay
