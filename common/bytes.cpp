#include "common/bytes.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace backstay {

Result<std::size_t> StringSource::read(MutableByteSpan buffer) {
    const std::size_t count = std::min(buffer.size(), text_.size() - position_);
    std::memcpy(buffer.data(), text_.data() + position_, count);
    position_ += count;
    return count;
}

Result<> StringSink::write(ByteSpan bytes) {
    if (bytes.size() > limit_ - text_.size()) {
        return Error(Errc::exhausted, "more bytes than the limit of " + std::to_string(limit_));
    }
    text_.append(as_text(bytes));
    return {};
}

Result<std::uint64_t> copy(Source& from, Sink& to) {
    std::vector<std::byte> buffer(256 * 1024);
    std::uint64_t total = 0;
    while (const std::size_t count = TRY(from.read(buffer))) {
        TRY(to.write(ByteSpan(buffer.data(), count)));
        total += count;
    }
    return total;
}

Result<std::string> read_all(Source& from, std::size_t limit) {
    StringSink sink(limit);
    TRY(copy(from, sink));
    return sink.take();
}

}  // namespace backstay
