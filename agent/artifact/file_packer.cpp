#include "agent/artifact/file_packer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/artifact/file_reading.h"

namespace backstay {
namespace {

constexpr std::uint64_t kBatchBytes = 1 << 20;
constexpr std::size_t kBatchFiles = 64;
constexpr std::size_t kBatchesInWork = 8;
// Larger files are streamed by the writer itself, so that a reader holds at most a batch and one such file.
constexpr std::uint64_t kStreamedFrom = 1 << 20;
constexpr std::size_t kProblemsKept = 1000;
constexpr int kAttempts = 3;

struct Piece {
    FileToPack file;
    FileFate fate = FileFate::packed;
    std::string detail;
    bool streamed = false;
    std::size_t begin = 0;  // in the batch's bytes
    std::size_t bytes = 0;
    std::int64_t modified_at = 0;
};

struct Batch {
    std::vector<Piece> pieces;
    std::uint64_t guessed_bytes = 0;
    Buffer bytes;
    bool taken = false;
    bool ready = false;
};

std::string_view name_of(FileFate fate) {
    switch (fate) {
        case FileFate::packed:
            return "packed";
        case FileFate::missing:
            return "missing";
        case FileFate::damaged:
            return "damaged";
        case FileFate::unreadable:
            return "unreadable";
    }
    return "";
}

}  // namespace

class FilePacker::State {
public:
    State(TarWriter& tar, PackOptions options, Fd root)
        : tar_(tar), options_(std::move(options)), root_(std::move(root)) {}

    ~State() {
        {
            const std::lock_guard lock(mutex_);
            abandoned_ = true;
            changed_.notify_all();
        }
        join();
    }

    void start() {
        for (int i = 0; i < options_.readers; ++i) {
            readers_.emplace_back([this]() noexcept {
                lower_priority(options_.priority);
                read_batches();
            });
        }
        writer_ = std::thread([this]() noexcept {
            lower_priority(options_.priority);
            Result<> written = write_batches();
            if (!written) fail(written.error());
        });
    }

    Result<> add(FileToPack file) {
        filling_.guessed_bytes += file.size_bytes;
        filling_.pieces.emplace_back().file = std::move(file);
        const bool full = filling_.guessed_bytes >= kBatchBytes || filling_.pieces.size() >= kBatchFiles;
        return full ? hand_on() : Result<>();
    }

    Result<PackedFiles> finish() {
        if (!filling_.pieces.empty()) TRY(hand_on());
        {
            const std::lock_guard lock(mutex_);
            complete_ = true;
            changed_.notify_all();
        }
        join();
        if (error_) return *error_;
        return std::move(packed_);
    }

private:
    void join() {
        for (std::thread& reader : readers_) {
            if (reader.joinable()) reader.join();
        }
        if (writer_.joinable()) writer_.join();
    }

    void fail(const Error& error) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = error;
        changed_.notify_all();
    }

    Result<> hand_on() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return error_ || batches_.size() < kBatchesInWork; });
        if (error_) return *error_;
        batches_.push_back(std::move(filling_));
        filling_ = Batch{};
        if (!spare_.empty()) {
            filling_.bytes = std::move(spare_.back());
            spare_.pop_back();
        }
        changed_.notify_all();
        return {};
    }

    Batch* next_untaken() {
        for (Batch& batch : batches_) {
            if (!batch.taken) return &batch;
        }
        return nullptr;
    }

    void read_batches() {
        Digest sha1(DigestKind::sha1);
        std::unique_lock lock(mutex_);
        while (true) {
            Batch* batch = nullptr;
            changed_.wait(lock, [&] {
                batch = next_untaken();
                return error_ || abandoned_ || batch != nullptr || complete_;
            });
            if (error_ || abandoned_ || batch == nullptr) return;
            batch->taken = true;
            lock.unlock();
            Result<> read = read_batch(*batch, sha1);
            lock.lock();
            batch->ready = true;
            if (!read && !error_) error_ = std::move(read).error();
            changed_.notify_all();
        }
    }

    Result<> read_batch(Batch& batch, Digest& sha1) {
        batch.bytes.reserve(static_cast<std::size_t>(2 * kBatchBytes));
        for (Piece& piece : batch.pieces) {
            if (options_.stop.stop_requested()) return Error(Errc::cancelled, "stopped");
            // Guesses may have been wrong: what no longer fits is left to the writer.
            if (batch.bytes.size() >= 2 * kBatchBytes) {
                piece.streamed = true;
            } else {
                read_piece(batch, piece, sha1);
            }
            if (options_.throttle != nullptr && piece.bytes > 0) TRY(options_.throttle->take(piece.bytes));
        }
        return {};
    }

    // Odoo up to 19 writes in place, so that a file may be read half-written: a wrong digest gets further looks.
    void read_piece(Batch& batch, Piece& piece, Digest& sha1) {
        for (int attempt = 1; attempt <= kAttempts; ++attempt) {
            Result<OpenedFile> file = open_below(root_.get(), piece.file.name);
            if (file && file->size_bytes >= kStreamedFrom) {
                piece.streamed = true;
                return;
            }
            piece.begin = batch.bytes.size();
            Result<std::string> digest = file ? read_whole(*file, batch.bytes, sha1) : std::move(file).error();
            if (!digest) {
                piece.fate = fate_of(digest.error());
                piece.detail = digest.error().message();
                piece.bytes = 0;
                if (piece.fate == FileFate::missing) return;
                continue;
            }
            piece.bytes = batch.bytes.size() - piece.begin;
            piece.modified_at = file->modified_at;
            piece.fate = piece.file.sha1.empty() || *digest == piece.file.sha1 ? FileFate::packed : FileFate::damaged;
            if (piece.fate == FileFate::packed) return;
            piece.detail = fmt::format("{} bytes whose SHA-1 is {}", piece.bytes, *digest);
            if (attempt < kAttempts) batch.bytes.resize(piece.begin);
        }
    }

    Result<> write_batches() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [&] {
                return error_ || abandoned_ || (!batches_.empty() && batches_.front().ready) ||
                       (complete_ && batches_.empty());
            });
            if (error_ || abandoned_ || batches_.empty()) return {};
            Batch& batch = batches_.front();
            lock.unlock();
            TRY(write_batch(batch));
            lock.lock();
            // Memory that was used is used again: fresh pages cost more than the copying.
            batch.bytes.clear();
            spare_.push_back(std::move(batch.bytes));
            batches_.pop_front();
            changed_.notify_all();
        }
    }

    Result<> write_batch(Batch& batch) {
        std::uint64_t bytes = 0;
        for (Piece& piece : batch.pieces) {
            const std::uint64_t before = packed_.bytes;
            if (piece.streamed) {
                TRY(stream_piece(piece));
            } else if (piece.fate == FileFate::packed || piece.fate == FileFate::damaged) {
                TRY(tar_.add({piece.file.name, piece.bytes, piece.modified_at},
                             batch.bytes.bytes().subspan(piece.begin, piece.bytes)));
                ++packed_.files;
                packed_.bytes += piece.bytes;
            }
            if (piece.fate != FileFate::packed) {
                remember(piece);
            } else if (options_.on_packed) {
                TRY(options_.on_packed(piece.file.name));
            }
            bytes += packed_.bytes - before;
        }
        if (options_.on_bytes) options_.on_bytes(bytes);
        return {};
    }

    // The member's size stands in front of it, so a file that shrinks is filled up with zeros, and named as damaged.
    Result<> stream_piece(Piece& piece) {
        Result<OpenedFile> opened = open_below(root_.get(), piece.file.name);
        if (!opened) {
            piece.fate = fate_of(opened.error());
            piece.detail = opened.error().message();
            return {};
        }
        TRY(tar_.begin({piece.file.name, opened->size_bytes, opened->modified_at}));
        Digest sha1(DigestKind::sha1);
        std::vector<std::byte>& buffer = stream_buffer_;
        buffer.resize(256 * 1024);
        std::uint64_t left = opened->size_bytes;
        while (left > 0) {
            if (options_.stop.stop_requested()) return Error(Errc::cancelled, "stopped");
            const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
            ssize_t count = ::read(opened->descriptor.get(), buffer.data(), wanted);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) {
                piece.fate = FileFate::damaged;
                piece.detail = count < 0 ? Error::from_errno(errno, "read").message() : "it shrank while it was read";
                std::fill(buffer.begin(), buffer.end(), std::byte{0});
                count = static_cast<ssize_t>(wanted);
            }
            const auto bytes = static_cast<std::size_t>(count);
            if (piece.fate == FileFate::packed) sha1.update(ByteSpan(buffer).first(bytes));
            if (options_.throttle != nullptr) TRY(options_.throttle->take(bytes));
            TRY(tar_.data(ByteSpan(buffer).first(bytes)));
            left -= bytes;
        }
        ++packed_.files;
        packed_.bytes += opened->size_bytes;
        if (const std::string digest = sha1.hex();
            piece.fate == FileFate::packed && !piece.file.sha1.empty() && digest != piece.file.sha1) {
            piece.fate = FileFate::damaged;
            piece.detail = fmt::format("{} bytes whose SHA-1 is {}", opened->size_bytes, digest);
        }
        return {};
    }

    void remember(const Piece& piece) {
        ++packed_.problem_count;
        if (piece.fate == FileFate::damaged) ++packed_.damaged;
        if (packed_.problems.size() >= kProblemsKept) return;
        packed_.problems.push_back({piece.file.name, std::string(name_of(piece.fate)), piece.detail});
    }

    TarWriter& tar_;
    PackOptions options_;
    Fd root_;
    Batch filling_;  // the adding thread's
    std::vector<std::byte> stream_buffer_;
    PackedFiles packed_;  // the writer's, until it has ended

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Buffer> spare_;  // at most as many as batches were in work
    std::deque<Batch> batches_;  // stable addresses: only the ends change
    bool complete_ = false;
    bool abandoned_ = false;
    std::optional<Error> error_;
    std::vector<std::thread> readers_;
    std::thread writer_;
};

FilePacker::FilePacker(std::unique_ptr<State> state) : state_(std::move(state)) {}
FilePacker::~FilePacker() = default;

Result<std::unique_ptr<FilePacker>> FilePacker::start(TarWriter& tar, PackOptions options) {
    Fd root(::open(options.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.open()) return Error::from_errno(errno, "open " + options.folder);
    auto state = std::make_unique<State>(tar, std::move(options), std::move(root));
    state->start();
    return std::unique_ptr<FilePacker>(new FilePacker(std::move(state)));
}

Result<> FilePacker::add(FileToPack file) { return state_->add(std::move(file)); }
Result<PackedFiles> FilePacker::finish() { return state_->finish(); }

}  // namespace backstay
