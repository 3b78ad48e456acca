// One exchange of a Client: libcurl's callbacks and what they need. Part of the client only.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <optional>

#include "common/http/client.h"

namespace backstay::http {

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

class Transfer {
public:
    using OnBytes = std::function<bool(std::string_view)>;

    Transfer(const ClientOptions& options, const ClientRequest& request, const OnBytes* on_bytes)
        : options_(options), request_(request), on_bytes_(on_bytes), last_byte_at_(0) {}
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    // Fills the handle; the transfer must stay where it is until curl has let go of it.
    Result<> prepare(CURL* easy);
    // Notes the time without a byte; false when the stall limit is passed.
    bool alive();
    // What came of it, given curl's verdict.
    Result<ClientResponse> conclude(CURLcode code);
    // Whether a status line has come.
    bool answered() const { return response_.status != 0; }
    // Ends the exchange with this error, whatever curl will call it.
    void fail(Error error) { failure_ = std::move(error); }

private:
    static std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* self) noexcept;
    static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self) noexcept;
    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept;
    static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;
    static int on_seek(void* self, curl_off_t offset, int origin) noexcept;
    static int on_progress(void* self, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) noexcept;

    void prepare_connection(CURL* easy);
    void prepare_body(CURL* easy);
    Result<> prepare_headers(CURL* easy);
    std::size_t give_body(MutableByteSpan buffer);
    bool take_body(std::string_view bytes);
    bool show_head();
    void take_header(std::string_view line);
    Error describe(CURLcode code) const;
    ByteSpan kept_body() const;
    bool success_status() const { return response_.status >= 200 && response_.status < 300; }

    const ClientOptions& options_;
    const ClientRequest& request_;
    const OnBytes* on_bytes_;
    std::unique_ptr<curl_slist, FreeList> headers_;
    ClientResponse response_;
    std::optional<Error> failure_;
    bool ended_by_reader_ = false;
    bool head_shown_ = false;
    bool address_refused_ = false;
    std::uint64_t sent_ = 0;
    std::int64_t last_byte_at_;
    curl_off_t seen_down_ = 0;
    curl_off_t seen_up_ = 0;
    char detail_[CURL_ERROR_SIZE] = {};
};

}  // namespace backstay::http
