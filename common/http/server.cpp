#include "common/http/server.h"

#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/http/server_connection.h"
#include "common/http/server_listener.h"
#include "common/log.h"

namespace backstay::http {

namespace {

constexpr std::uint64_t kSweepMs = 250;
constexpr std::size_t kReadBufferBytes = 64 * 1024;

class SocketServer final : public Server {
public:
    SocketServer(Loop& loop, Options options, Handler handler) : loop_(loop) {
        core_.limits = options.limits;
        core_.handler = std::move(handler);
        core_.error_body = std::move(options.error_body);
        core_.streamed_body = std::move(options.streamed_body);
        core_.read_buffer.resize(kReadBufferBytes);
        core_.on_gone = [this] { finish_if_empty(); };
        core_.wake = [this] { resume_.emplace(loop_, 0, 0, [this] { resume(); }); };
    }

    ~SocketServer() override {
        core_.on_gone = [] {};
        close_all();
    }

    Result<> use_tls(const TlsFiles& files) {
        core_.tls = TRY(TlsContext::load(files));
        tls_files_ = files;
        return {};
    }

    Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port) override {
        const bool secure = core_.tls != nullptr;
        listeners_.push_back(TRY(
            Listener::tcp(loop_, address, port, [this, secure](uv_stream_s* waiting) { accept(waiting, secure); })));
        return listeners_.back()->port();
    }

    Result<> listen_unix(const std::string& path, unsigned mode, const std::string& group) override {
        listeners_.push_back(TRY(
            Listener::unix_socket(loop_, path, mode, group, [this](uv_stream_s* waiting) { accept(waiting, false); })));
        return {};
    }

    Result<> reload_tls() override {
        if (!tls_files_) return {};
        core_.tls = TRY(TlsContext::load(*tls_files_));
        return {};
    }

    void stop(std::uint64_t grace_ms, std::function<void()> done) override {
        listeners_.clear();
        core_.stopping = true;
        done_ = std::move(done);
        // Over a copy: each one that ends changes the list.
        const std::vector<Connection*> present = core_.connections;
        for (Connection* connection : present) connection->wind_down();
        grace_.emplace(loop_, grace_ms, 0, [this] { close_all(); });
        finish_if_empty();
    }

    std::size_t open_connections() const override { return core_.connections.size(); }

private:
    void accept(uv_stream_s* waiting, bool secure) {
        Connection::accept(core_, waiting, secure);
        // Without connections nothing wakes the process.
        if (!sweep_) sweep_.emplace(loop_, kSweepMs, kSweepMs, [this] { sweep(); });
    }

    void sweep() {
        const std::int64_t now = steady_ms();
        // Backwards: one that ends is replaced by the last, which was looked at.
        for (std::size_t i = core_.connections.size(); i-- > 0;) {
            if (i < core_.connections.size()) core_.connections[i]->check_deadlines(now);
        }
        if (core_.connections.empty()) sweep_.reset();
    }

    void resume() {
        resume_.reset();
        // Those that enter meanwhile wait for the next turn, so that no peer can keep the loop to itself.
        std::size_t count = core_.resumable.size();
        while (count-- > 0 && !core_.resumable.empty()) {
            Connection* connection = core_.resumable.front();
            core_.resumable.erase(core_.resumable.begin());
            connection->read_on();
        }
        if (!core_.resumable.empty() && !resume_) core_.wake();
    }

    void close_all() {
        while (!core_.connections.empty()) core_.connections.back()->close();
    }

    void finish_if_empty() {
        if (!core_.stopping || !core_.connections.empty() || !done_) return;
        grace_.reset();
        // Posted: whoever waits for the end may destroy this server, which is still at work here.
        loop_.post(std::exchange(done_, nullptr));
    }

    Loop& loop_;
    ServerCore core_;
    std::optional<TlsFiles> tls_files_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::optional<Timer> sweep_;
    std::optional<Timer> resume_;
    std::optional<Timer> grace_;
    std::function<void()> done_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::create(Loop& loop, Options options, Handler handler) {
    const TlsFiles* tls = options.tls;
    auto server = std::make_unique<SocketServer>(loop, std::move(options), std::move(handler));
    if (tls != nullptr) TRY(server->use_tls(*tls));
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace backstay::http
