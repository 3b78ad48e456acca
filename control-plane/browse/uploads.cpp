#include "control-plane/browse/uploads.h"

#include <charconv>

#include "common/crypto/digest.h"
#include "common/event/byte_pipe.h"
#include "common/sql/transaction.h"
#include "control-plane/api/scope.h"
#include "control-plane/browse/multipart.h"
#include "control-plane/browse/paths.h"
#include "control-plane/browse/transfers.h"

namespace backstay::browse {
namespace {

using Done = store::DatabaseThreads::Done;

// Counts and digests what goes through, and remembers why it ended: a driver adds words of its own to an error.
class Measured final : public Source {
public:
    Measured(Source& inner, std::uint64_t most) : inner_(inner), most_(most) {}

    Result<std::size_t> read(MutableByteSpan buffer) override {
        auto count = inner_.read(buffer);
        if (count && bytes + *count > most_)
            count = api::problem(413, "file_too_large", "files may have at most " + std::to_string(most_) + " bytes");
        if (!count) {
            failure = count.error();
            return count;
        }
        digest.update(ByteSpan(buffer.data(), *count));
        bytes += *count;
        return count;
    }

    std::uint64_t bytes = 0;
    Digest digest{DigestKind::sha256};
    std::optional<Error> failure;

private:
    Source& inner_;
    const std::uint64_t most_;
};

std::uint64_t announced(const http::Request& request) {
    const std::string_view text = request.headers.get("Content-Length");
    std::uint64_t bytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), bytes);
    return bytes;
}

Result<> note(sql::Database& db, const api::Call& call, const std::string& destination, const std::string& path) {
    auto transaction = TRY(sql::Transaction::begin(db, call.organization_id));
    TRY(api::note_audit(call, db, "storage.upload", destination, path));
    return transaction.commit();
}

}  // namespace

Result<Uploads::Wish> Uploads::read_wish(const api::Call& call, std::uint64_t most_bytes) {
    const std::string* path = call.request.query_value("path");
    if (path == nullptr) return api::problem(400, "path_required", "name the file by ?path=");
    std::string sound = TRY(object_path(*path));
    Wish wish{call, std::move(sound), "", most_bytes};
    if (is_reserved(wish.path, call.organization_id))
        return api::conflict("reserved_path", "only agents write there; choose a path below uploads/");
    auto boundary = boundary_of(call.request.headers.get("Content-Type"));
    if (!boundary) return api::problem(415, "unsupported_media_type", "send the file as multipart/form-data");
    wish.boundary = std::move(*boundary);
    return wish;
}

void Uploads::take(const api::Call& call, std::unique_ptr<http::Exchange> exchange, std::uint64_t most_bytes) {
    auto wish = read_wish(call, most_bytes);
    if (!wish) return exchange->respond(api::error_answer(wish.error()));
    auto slot = take_slot(slots_, transfers_of(call.organization_id));
    if (!slot) return exchange->respond(api::error_answer(slot.error()));
    const std::uint64_t number = ++last_number_;
    exchange->on_abandoned([this, number] { gone(number); });
    Upload& upload = uploads_[number];
    upload.exchange = std::move(exchange);
    upload.slot.emplace(std::move(*slot));
    const bool taken = threads_.submit(
        store::DatabaseThreads::Lane::transfer,
        [this, number, stop = upload.stop.get_token(), wish = std::move(*wish)](sql::Database& db) -> Done {
            auto ran = run(number, stop, wish, db);
            auto answer = ran ? std::move(*ran) : api::error_answer(ran.error());
            return [this, number, answer = std::move(answer)] { finish(number, answer); };
        },
        call.organization_id);
    if (!taken) finish(number, api::error_answer(503, "overloaded", "too many transfers are on their way; try again"));
}

// On a transfer thread.
Result<http::Response> Uploads::run(std::uint64_t number, const std::stop_token& stop, const Wish& wish,
                                    sql::Database& db) {
    const auto row = TRY(api::find_destination(wish.call, db, wish.call.param("destId")));
    const auto storage = TRY(reach_.open(db, row, stop));
    if (const auto there = storage->stat(wish.path))
        return api::conflict("already_exists", "there is a file of this name already");
    else if (there.error().code() != Errc::not_found)
        return storage_problem(there.error(), row.id);
    const auto pipe = std::make_shared<BytePipe>();
    const auto closing = closed_by(stop, *pipe);
    loop_.post([this, number, pipe] { begin(number, pipe); });
    PipeSource body(*pipe);
    MultipartSource file(body, wish.boundary, "file");
    Measured content(file, wish.most_bytes);
    PutOptions options;
    options.expected_bytes = announced(wish.call.request);
    options.retain = false;
    const auto stored = storage->put(wish.path, content, options);
    pipe->close(Error(Errc::cancelled, "the upload has ended"));
    if (content.failure && api::is_problem(*content.failure)) return *content.failure;
    if (content.failure) return api::problem(400, "upload_broken", "the upload broke off");
    if (!stored) return storage_problem(stored.error(), row.id);
    TRY(note(db, wish.call, row.id, wish.path));
    json::Object answer;
    answer["message"] = "the file is stored";
    answer["path"] = wish.path;
    answer["sizeBytes"] = content.bytes;
    answer["sha256"] = content.digest.hex();
    return api::json_answer(200, json::Value(std::move(answer)));
}

void Uploads::begin(std::uint64_t number, SharedPipe pipe) {
    const auto found = uploads_.find(number);
    if (found == uploads_.end()) return;
    Upload& upload = found->second;
    if (upload.exchange == nullptr) return;  // it has been told to stop
    upload.receiving = true;
    pumps_.receive_body(
        std::move(upload.exchange), std::move(pipe),
        [this, number](std::unique_ptr<http::Exchange> exchange, bool) { received(number, std::move(exchange)); });
}

void Uploads::received(std::uint64_t number, std::unique_ptr<http::Exchange> exchange) {
    const auto found = uploads_.find(number);
    if (found == uploads_.end()) return;
    found->second.receiving = false;
    found->second.exchange = std::move(exchange);
    if (found->second.exchange == nullptr) found->second.stop.request_stop();
    if (found->second.answer) finish(number, std::move(*found->second.answer));
}

// Before its body was asked for.
void Uploads::gone(std::uint64_t number) {
    const auto found = uploads_.find(number);
    if (found == uploads_.end()) return;
    const auto exchange = std::move(found->second.exchange);
    found->second.stop.request_stop();
}

void Uploads::stop() {
    for (auto& [number, upload] : uploads_) upload.stop.request_stop();
}

// The answer waits until the body lets go of the exchange.
void Uploads::finish(std::uint64_t number, http::Response answer) {
    const auto found = uploads_.find(number);
    if (found == uploads_.end()) return;
    if (found->second.receiving) {
        found->second.answer = std::move(answer);
        return;
    }
    const auto exchange = std::move(found->second.exchange);
    uploads_.erase(found);
    if (exchange != nullptr) exchange->respond(std::move(answer));
}

}  // namespace backstay::browse
