// TLS as a filter between a connection and its socket, by OpenSSL's memory BIOs. Loop thread. Part of the server only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/http/server.h"
#include "common/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace backstay::http {

class TlsSession;

// The certificate, its key and the policy: TLS 1.2 or newer, session tickets, no renegotiation, no compression.
class TlsContext {
public:
    static Result<std::unique_ptr<TlsContext>> load(const TlsFiles& files);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    std::unique_ptr<TlsSession> open_session() const;

private:
    explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
    ssl_ctx_st* context_;
};

class TlsSession {
public:
    explicit TlsSession(ssl_st* session) : session_(session) {}
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    // Takes bytes of the wire and appends what they say to `plain`. False: the peer broke the protocol or said goodbye;
    // what outgoing() holds may still be sent.
    bool receive(std::string_view wire, std::string& plain);
    // False when the session is broken.
    bool send(std::string_view plain);
    // Says goodbye.
    void finish();
    // Bytes for the wire that gathered since the last call.
    std::string take_outgoing();

private:
    ssl_st* session_;
};

}  // namespace backstay::http
