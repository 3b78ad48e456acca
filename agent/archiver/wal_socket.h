// The socket for PostgreSQL's hooks (agent/hook/wire.h): it pushes and fetches WAL and can do nothing else, so that
// PostgreSQL's user needs no right on the administrator's socket. Served by threads of its own with plain recvmsg: what
// is done here blocks, and descriptors travel beside the messages. Fetches have threads of their own, so that
// recoveries never keep PostgreSQL from archiving.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/archiver/descriptor.h"
#include "agent/hook/wire.h"
#include "common/result.h"

namespace backstay::archiver {

struct SocketCall {
    hook::Request request;
    std::uint64_t user = 0;  // whose process it is, by the kernel's word
    std::vector<Fd> descriptors;
    std::function<bool()> gone;  // the other side has closed
};

struct SocketAnswer {
    hook::Answer answer;
    Fd beside;  // goes along when answer.beside
};

class WalSocket {
public:
    using Serve = std::function<SocketAnswer(SocketCall)>;

    // A socket that another process listens on is a conflict; a left one is replaced. Mode 0660; `group` "" is the
    // process's, and one that does not exist is `invalid`.
    static Result<std::unique_ptr<WalSocket>> listen(const std::string& path, const std::string& group, Serve serve);
    // Waits until all calls are answered; whatever they wait for should have been ended before.
    ~WalSocket();
    WalSocket(const WalSocket&) = delete;
    WalSocket& operator=(const WalSocket&) = delete;

private:
    WalSocket(std::string path, Fd socket, Fd wake_read, Fd wake_write, Serve serve);
    struct Waiting {
        Fd connection;
        SocketCall call;
    };
    void accept_all();
    void fetch_all();
    void hear(Fd connection);
    void answer(const Fd& connection, SocketCall call);

    std::string path_;
    Fd socket_;
    Fd wake_read_;
    Fd wake_write_;
    Serve serve_;
    std::mutex mutex_;
    std::condition_variable fetch_;
    std::deque<Waiting> fetches_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace backstay::archiver
