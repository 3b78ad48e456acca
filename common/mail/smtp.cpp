#include "common/mail/smtp.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

namespace backstay::mail {
namespace {

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Upload {
    std::string_view rest;
    const std::stop_token& stop;
};

std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* self) noexcept {
    auto& upload = *static_cast<Upload*>(self);
    const std::size_t taken = std::min(size * count, upload.rest.size());
    if (taken > 0) std::memcpy(buffer, upload.rest.data(), taken);
    upload.rest.remove_prefix(taken);
    return taken;
}

int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
    return static_cast<Upload*>(self)->stop.stop_requested() ? 1 : 0;
}

void prepare_connection(CURL* easy, const SmtpOptions& options, const std::string& url) {
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options.total_ms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::min<std::uint64_t>(options.total_ms, 10'000)));
    const bool encrypted = options.security != Security::none;
    curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(encrypted ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options.ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
        curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    }
    if (!options.username.empty()) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, options.username.c_str());
        curl_easy_setopt(easy, CURLOPT_PASSWORD, options.password.c_str());
    }
}

// The reply code tells what will stay so.
Error describe(CURL* easy, CURLcode code, const char* detail, const std::stop_token& stop) {
    if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
    long reply = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply);
    std::string text = detail[0] != '\0' ? detail : curl_easy_strerror(code);
    if (reply >= 400) text += fmt::format(" (reply {})", reply);
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
            return Error(Errc::timed_out, std::move(text));
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_USE_SSL_FAILED:
            return Error(Errc::denied, std::move(text));
        case CURLE_LOGIN_DENIED:
            return Error(Errc::denied, "the mail server refuses the login");
        default:
            return Error(reply >= 500 ? Errc::denied : Errc::unavailable, std::move(text));
    }
}

}  // namespace

Result<> send(const SmtpOptions& options, const Message& message, const std::stop_token& stop) {
    const std::string text = TRY(compose(message));
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    const std::unique_ptr<CURL, FreeEasy> easy(curl_easy_init());
    const std::string recipient = "<" + message.to + ">";
    const std::unique_ptr<curl_slist, FreeList> recipients(curl_slist_append(nullptr, recipient.c_str()));
    if (!easy || !recipients) return Error(Errc::exhausted, "libcurl gave no handle");
    char detail[CURL_ERROR_SIZE] = {};
    Upload upload{text, stop};
    const std::string sender = "<" + message.from + ">";
    const bool six = options.host.find(':') != std::string::npos;
    const std::string url = fmt::format("{}://{}{}{}:{}", options.security == Security::tls ? "smtps" : "smtp",
                                        six ? "[" : "", options.host, six ? "]" : "", options.port);
    prepare_connection(easy.get(), options, url);
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(easy.get(), CURLOPT_MAIL_FROM, sender.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(easy.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_READFUNCTION, &on_read);
    curl_easy_setopt(easy.get(), CURLOPT_READDATA, &upload);
    curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, &on_progress);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, &upload);
    const CURLcode code = curl_easy_perform(easy.get());
    if (code == CURLE_OK) return {};
    return describe(easy.get(), code, detail, stop);
}

}  // namespace backstay::mail
