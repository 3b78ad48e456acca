#include "storage/rate_limited.h"

#include <algorithm>

#include "common/clock.h"
#include "storage/backoff.h"

namespace backstay {

namespace {

// A token bucket that may go into debt: a piece is let through at once and the next waits for what it cost, so no piece
// is too large for it. A quarter second of saved-up allowance keeps short pauses from costing speed.
class Bucket {
public:
    Bucket(std::function<std::uint64_t()> rate, std::stop_token stop)
        : rate_(std::move(rate)), stop_(std::move(stop)), filled_at_ms_(steady_ms()) {}

    Result<> take(std::size_t bytes) {
        while (true) {
            const std::uint64_t rate = rate_();
            if (rate == 0) break;
            refill(static_cast<double>(rate));
            if (tokens_ >= 0) break;
            const double milliseconds = -tokens_ * 1000.0 / static_cast<double>(rate);
            // Short waits: a changed rate is noticed within half a second.
            TRY(wait_ms(static_cast<std::uint64_t>(std::clamp(milliseconds, 1.0, 500.0)), stop_));
        }
        tokens_ -= static_cast<double>(bytes);
        return {};
    }

private:
    void refill(double rate) {
        const std::int64_t now = steady_ms();
        tokens_ = std::min(rate / 4, tokens_ + static_cast<double>(now - filled_at_ms_) * rate / 1000.0);
        filled_at_ms_ = now;
    }

    std::function<std::uint64_t()> rate_;
    std::stop_token stop_;
    double tokens_ = 0;
    std::int64_t filled_at_ms_;
};

class LimitedSource final : public Source {
public:
    LimitedSource(Source& inner, Bucket& bucket) : inner_(inner), bucket_(bucket) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        // Small pieces make an even flow.
        const std::size_t count = TRY(inner_.read(buffer.first(std::min<std::size_t>(buffer.size(), 64 * 1024))));
        TRY(bucket_.take(count));
        return count;
    }

private:
    Source& inner_;
    Bucket& bucket_;
};

class LimitedSink final : public Sink {
public:
    LimitedSink(Sink& inner, Bucket& bucket) : inner_(inner), bucket_(bucket) {}
    Result<> write(ByteSpan bytes) override {
        TRY(bucket_.take(bytes.size()));
        return inner_.write(bytes);
    }

private:
    Sink& inner_;
    Bucket& bucket_;
};

class RateLimitedStorage final : public Storage {
public:
    RateLimitedStorage(std::unique_ptr<Storage> inner, std::function<std::uint64_t()> rate, std::stop_token stop)
        : inner_(std::move(inner)), bucket_(std::move(rate), std::move(stop)) {}

    std::string_view kind() const override { return inner_->kind(); }
    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        LimitedSource limited(content, bucket_);
        return inner_->put(key, limited, options);
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        LimitedSink limited(into, bucket_);
        return inner_->get(key, range, limited);
    }
    Result<ObjectInfo> stat(std::string_view key) override { return inner_->stat(key); }
    Result<ListPage> list(const ListQuery& query) override { return inner_->list(query); }
    Result<> remove(std::string_view key) override { return inner_->remove(key); }
    Result<> remove_all(const std::vector<std::string>& keys) override { return inner_->remove_all(keys); }
    Result<std::uint64_t> sweep_leftovers(TimeMs older_than) override { return inner_->sweep_leftovers(older_than); }
    Result<std::optional<std::uint64_t>> free_bytes() override { return inner_->free_bytes(); }
    Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                   std::string_view download_name) override {
        return inner_->presign_get(key, seconds, download_name);
    }

private:
    std::unique_ptr<Storage> inner_;
    Bucket bucket_;
};

}  // namespace

std::unique_ptr<Storage> limit_rate(std::unique_ptr<Storage> inner, std::function<std::uint64_t()> bytes_per_second,
                                    std::stop_token stop) {
    return std::make_unique<RateLimitedStorage>(std::move(inner), std::move(bytes_per_second), std::move(stop));
}

}  // namespace backstay
