// A Storage that fails every other call for a passing reason before it does anything: what a retry must make invisible.
// put is left alone, as the retry leaves it to drivers.
#pragma once

#include <memory>
#include <utility>

#include "storage/storage.h"

namespace backstay::testing {

class FlakyStorage final : public Storage {
public:
    // Fails `failures` times before each call that succeeds.
    FlakyStorage(std::unique_ptr<Storage> inner, int failures, Errc code = Errc::unavailable)
        : inner_(std::move(inner)), failures_(failures), left_(failures), code_(code) {}

    int calls() const { return calls_; }

    std::string_view kind() const override { return inner_->kind(); }
    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        return inner_->put(key, content, options);
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        TRY(stumble());
        return inner_->get(key, range, into);
    }
    Result<ObjectInfo> stat(std::string_view key) override {
        TRY(stumble());
        return inner_->stat(key);
    }
    Result<ListPage> list(const ListQuery& query) override {
        TRY(stumble());
        return inner_->list(query);
    }
    Result<> remove(std::string_view key) override {
        TRY(stumble());
        return inner_->remove(key);
    }
    Result<> remove_all(const std::vector<std::string>& keys) override {
        TRY(stumble());
        return inner_->remove_all(keys);
    }
    Result<std::uint64_t> sweep_leftovers(TimeMs older_than) override {
        TRY(stumble());
        return inner_->sweep_leftovers(older_than);
    }
    Result<std::optional<std::uint64_t>> free_bytes() override {
        TRY(stumble());
        return inner_->free_bytes();
    }
    Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                   std::string_view download_name) override {
        return inner_->presign_get(key, seconds, download_name);
    }

private:
    Result<> stumble() {
        ++calls_;
        if (left_-- > 0) return Error(code_, "stumbled");
        left_ = failures_;
        return {};
    }

    std::unique_ptr<Storage> inner_;
    int failures_;
    int left_;
    Errc code_;
    int calls_ = 0;
};

}  // namespace backstay::testing
