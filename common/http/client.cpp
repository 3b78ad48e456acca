#include "common/http/client.h"

#include <curl/curl.h>

#include <mutex>

#include "common/http/client_transfer.h"

namespace backstay::http {

namespace {

struct FreeMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

void start_curl() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// Longest time between two looks at the stall limit.
constexpr int kPollMs = 250;

}  // namespace

struct Client::Impl {
    explicit Impl(ClientOptions given) : options(std::move(given)) {
        start_curl();
        multi.reset(curl_multi_init());
        if (multi) curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, 2L);
    }

    Result<ClientResponse> run(const ClientRequest& request, const Transfer::OnBytes* on_bytes);
    Result<ClientResponse> run_once(const ClientRequest& request, const Transfer::OnBytes* on_bytes, bool& stale);

    // Moves bytes until curl has a verdict, or until the transfer is to end (then the code means nothing).
    CURLcode drive(Transfer& transfer, const std::stop_token& stop);

    ClientOptions options;
    // Keeps the connections between calls. An easy handle serves one call: what it remembers of a failure outlives
    // curl_easy_reset (github.com/curl/curl/issues/18206).
    std::unique_ptr<CURLM, FreeMulti> multi;
};

CURLcode Client::Impl::drive(Transfer& transfer, const std::stop_token& stop) {
    while (true) {
        if (stop.stop_requested()) {
            transfer.fail(Error(Errc::cancelled, "stopped"));
            return CURLE_ABORTED_BY_CALLBACK;
        }
        int running = 0;
        const CURLMcode moved = curl_multi_perform(multi.get(), &running);
        if (moved != CURLM_OK) {
            transfer.fail(Error(Errc::io, curl_multi_strerror(moved)));
            return CURLE_FAILED_INIT;
        }
        int waiting = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi.get(), &waiting)) {
            if (message->msg == CURLMSG_DONE) return message->data.result;
        }
        if (!transfer.alive()) return CURLE_OPERATION_TIMEDOUT;
        curl_multi_poll(multi.get(), nullptr, 0, kPollMs, nullptr);
    }
}

// A peer may close a kept connection just as it is used again. libcurl sends anew when it notices while reading, not
// when it notices while sending; the request was not complete then, so that nobody can have acted on it.
Result<ClientResponse> Client::Impl::run(const ClientRequest& request, const Transfer::OnBytes* on_bytes) {
    bool stale = false;
    auto first = run_once(request, on_bytes, stale);
    if (!stale || request.body_source != nullptr) return first;
    return run_once(request, on_bytes, stale);
}

Result<ClientResponse> Client::Impl::run_once(const ClientRequest& request, const Transfer::OnBytes* on_bytes,
                                              bool& stale) {
    const std::unique_ptr<CURL, FreeEasy> easy(curl_easy_init());
    if (!multi || !easy) return Error(Errc::exhausted, "libcurl gave no handle");
    Transfer transfer(options, request, on_bytes);
    TRY(transfer.prepare(easy.get()));
    if (curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK) return Error(Errc::io, "libcurl is busy");
    CURLcode code = CURLE_OK;
    {
        // A stop request wakes the poll at once instead of with its next timeout.
        const std::stop_callback wake(request.stop, [this] { curl_multi_wakeup(multi.get()); });
        code = drive(transfer, request.stop);
    }
    long connects = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_NUM_CONNECTS, &connects);
    stale = code == CURLE_SEND_ERROR && connects == 0 && !transfer.answered();
    curl_multi_remove_handle(multi.get(), easy.get());
    return transfer.conclude(code);
}

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::perform(const ClientRequest& request) { return impl_->run(request, nullptr); }

Result<ClientResponse> Client::stream(const ClientRequest& request,
                                      const std::function<bool(std::string_view)>& on_bytes) {
    return impl_->run(request, &on_bytes);
}

}  // namespace backstay::http
