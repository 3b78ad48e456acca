#include "storage/retrying.h"

#include <fmt/format.h>

#include "storage/backoff.h"

namespace backstay {

namespace {

// Notes whether a byte has passed: from then on a repeated get would deliver the beginning twice.
class WatchedSink final : public Sink {
public:
    explicit WatchedSink(Sink& inner) : inner_(inner) {}
    Result<> write(ByteSpan bytes) override {
        touched_ = true;
        return inner_.write(bytes);
    }
    bool touched() const { return touched_; }

private:
    Sink& inner_;
    bool touched_ = false;
};

class RetryingStorage final : public Storage {
public:
    RetryingStorage(std::unique_ptr<Storage> inner, RetryPolicy policy, std::stop_token stop)
        : inner_(std::move(inner)), policy_(policy), stop_(std::move(stop)) {}

    std::string_view kind() const override { return inner_->kind(); }
    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        return inner_->put(key, content, options);
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        WatchedSink watched(into);
        return repeat([&] { return inner_->get(key, range, watched); }, [&] { return !watched.touched(); });
    }
    Result<ObjectInfo> stat(std::string_view key) override {
        return repeat([&] { return inner_->stat(key); });
    }
    Result<ListPage> list(const ListQuery& query) override {
        return repeat([&] { return inner_->list(query); });
    }
    Result<> remove(std::string_view key) override {
        return repeat([&] { return inner_->remove(key); });
    }
    Result<> remove_all(const std::vector<std::string>& keys) override {
        return repeat([&] { return inner_->remove_all(keys); });
    }
    Result<std::uint64_t> sweep_leftovers(TimeMs older_than) override {
        return repeat([&] { return inner_->sweep_leftovers(older_than); });
    }
    Result<std::optional<std::uint64_t>> free_bytes() override {
        return repeat([&] { return inner_->free_bytes(); });
    }
    Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                   std::string_view download_name) override {
        return inner_->presign_get(key, seconds, download_name);
    }

private:
    static bool always() { return true; }

    template <class Call, class MayRepeat = bool (*)()>
    auto repeat(Call call, MayRepeat may_repeat = always) -> decltype(call()) {
        for (int attempt = 1;; ++attempt) {
            auto result = call();
            if (result || !result.error().transient() || !may_repeat()) return result;
            if (attempt >= policy_.attempts) {
                result.error().add_context(fmt::format("{} attempts failed, the last", attempt));
                return result;
            }
            TRY(wait_ms(backoff_ms(attempt, policy_.first_wait_ms, policy_.longest_wait_ms), stop_));
        }
    }

    std::unique_ptr<Storage> inner_;
    RetryPolicy policy_;
    std::stop_token stop_;
};

}  // namespace

std::unique_ptr<Storage> retry_calls(std::unique_ptr<Storage> inner, RetryPolicy policy, std::stop_token stop) {
    return std::make_unique<RetryingStorage>(std::move(inner), policy, std::move(stop));
}

}  // namespace backstay
