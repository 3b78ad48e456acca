#include "agent/archiver/wal_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "tests/unit/agent/archiver/shelf.h"

namespace backstay::archiver {
namespace {

using testing::eventually;

// A hook that has asked and waits for its answer.
class Asking {
public:
    Asking(const std::string& path, bool fetch) : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
        EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        hook::Request request;
        request.name = "000000010000000000000001";
        request.fetch = fetch;
        std::string text = hook::write_request(request);
        const Fd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
        const int number = file.get();
        iovec piece{text.data(), text.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &number, sizeof(int));
        EXPECT_GT(::sendmsg(socket_.get(), &message, MSG_NOSIGNAL), 0);
    }
    bool answered(int within_ms) const {
        pollfd answer{socket_.get(), POLLIN, 0};
        return ::poll(&answer, 1, within_ms) == 1;
    }

private:
    Fd socket_;
};

TEST(WalSocket, PushesAreServedWhileRecoveriesWait) {
    const backstay::testing::TempDir folder;
    const std::string path = folder.path() + "/wal.sock";
    std::mutex mutex;
    std::condition_variable changed;
    bool go_on = false;
    std::atomic<int> fetching{0};
    auto socket = WalSocket::listen(path, "", [&](SocketCall call) -> SocketAnswer {
        if (!call.request.fetch) return {};
        ++fetching;
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return go_on; });
        return {};
    });
    ASSERT_TRUE(socket) << socket.error().message();
    std::vector<std::unique_ptr<Asking>> recoveries;
    for (int i = 0; i < 12; ++i) recoveries.push_back(std::make_unique<Asking>(path, true));
    EXPECT_TRUE(eventually([&] { return fetching == 3; }));
    const Asking push(path, false);
    EXPECT_TRUE(push.answered(10'000));
    EXPECT_EQ(fetching, 3);
    {
        const std::lock_guard lock(mutex);
        go_on = true;
    }
    changed.notify_all();
    for (const auto& one : recoveries) EXPECT_TRUE(one->answered(10'000));
}

}  // namespace
}  // namespace backstay::archiver
