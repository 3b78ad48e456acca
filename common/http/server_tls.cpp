#include "common/http/server_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>

namespace backstay::http {

namespace {

Error tls_error(const std::string& what) {
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
    ERR_clear_error();
    return Error(Errc::invalid, what + ": " + reason.data());
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsFiles& files) {
    ERR_clear_error();
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    if (context == nullptr) return tls_error("prepare TLS");
    std::unique_ptr<TlsContext> made(new TlsContext(context));
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps no record buffers
    // Sessions live in the tickets that clients hold; a cache here would grow with the number of clients.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate_file.c_str()) != 1) {
        return tls_error("read the certificate " + files.certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return tls_error("read the TLS key " + files.key_file);
    }
    if (SSL_CTX_check_private_key(context) != 1) return tls_error("match the TLS key with the certificate");
    return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

std::unique_ptr<TlsSession> TlsContext::open_session() const {
    SSL* session = SSL_new(context_);
    if (session == nullptr) return nullptr;
    SSL_set_bio(session, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(session);
    return std::make_unique<TlsSession>(session);
}

TlsSession::~TlsSession() { SSL_free(session_); }

bool TlsSession::receive(std::string_view wire, std::string& plain) {
    ERR_clear_error();
    if (BIO_write(SSL_get_rbio(session_), wire.data(), static_cast<int>(wire.size())) <= 0) return false;
    std::array<char, 16384> piece{};
    while (true) {
        const int count = SSL_read(session_, piece.data(), static_cast<int>(piece.size()));
        if (count > 0) {
            plain.append(piece.data(), static_cast<std::size_t>(count));
            continue;
        }
        const bool wants_more = SSL_get_error(session_, count) == SSL_ERROR_WANT_READ;
        ERR_clear_error();
        return wants_more;
    }
}

bool TlsSession::send(std::string_view plain) {
    ERR_clear_error();
    // One record's worth at a time, so that the memory BIO grows by what is sent and not by copies of all of it.
    while (!plain.empty()) {
        const std::size_t size = std::min<std::size_t>(plain.size(), 16384);
        if (SSL_write(session_, plain.data(), static_cast<int>(size)) <= 0) return false;
        plain.remove_prefix(size);
    }
    return true;
}

void TlsSession::finish() {
    if (SSL_is_init_finished(session_) == 1) SSL_shutdown(session_);
    ERR_clear_error();
}

std::string TlsSession::take_outgoing() {
    BIO* out = SSL_get_wbio(session_);
    std::string wire(BIO_ctrl_pending(out), '\0');
    if (!wire.empty()) BIO_read(out, wire.data(), static_cast<int>(wire.size()));
    return wire;
}

}  // namespace backstay::http
