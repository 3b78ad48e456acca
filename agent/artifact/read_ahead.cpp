#include "agent/artifact/read_ahead.h"

#include <vector>

namespace backstay {

ReadAhead::ReadAhead(Source& from) {
    thread_ = std::jthread([this, &from] {
        auto done = run(from);
        queue_.close(done ? std::nullopt : std::optional<Error>(done.error()));
    });
}

ReadAhead::~ReadAhead() { queue_.abandon(); }

Result<> ReadAhead::run(Source& from) {
    std::vector<std::byte> buffer(ByteQueue::kBlockBytes);
    while (const std::size_t count = TRY(from.read(buffer))) TRY(queue_.push(ByteSpan(buffer.data(), count)));
    return {};
}

}  // namespace backstay
