#include "control-plane/own-backup/seal.h"

namespace backstay::own_backup {
namespace {

constexpr std::string_view kBeginning = "\nBACKSTAY CONTROL BACKUP 1 SHA256";

}  // namespace

std::string seal(const std::string& sha256) {
    std::string text(kBeginning);
    text.append(kSealBytes - 1 - kBeginning.size() - sha256.size(), ' ');
    return text + sha256 + "\n";
}

Result<> SealedSink::write(ByteSpan bytes) {
    held_.append(as_text(bytes));
    if (held_.size() <= kSealBytes) return {};
    const std::string_view ready = std::string_view(held_).substr(0, held_.size() - kSealBytes);
    digest_.update(as_bytes(ready));
    TRY(to_.write(as_bytes(ready)));
    held_.erase(0, ready.size());
    return {};
}

Result<> SealedSink::finish() {
    if (!held_.starts_with(kBeginning) || held_.size() != kSealBytes) {
        return Error(Errc::invalid, "it is no backup of a control plane, or its end is missing");
    }
    if (held_ != seal(digest_.hex())) return Error(Errc::corrupted, "the backup is damaged: its digest is another");
    return to_.finish();
}

}  // namespace backstay::own_backup
