#include "common/domain/moment.h"

#include <algorithm>

namespace backstay {

std::vector<PitrFilestore> filestores_around(TimeMs target, std::vector<PitrFilestore> candidates) {
    std::sort(candidates.begin(), candidates.end(),
              [](const PitrFilestore& a, const PitrFilestore& b) { return a.taken_at < b.taken_at; });
    const auto after = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const PitrFilestore& one) { return one.taken_at.ms >= target; });
    std::vector<PitrFilestore> around;
    if (after != candidates.begin()) around.push_back(*std::prev(after));
    if (after != candidates.end()) around.push_back(*after);
    return around;
}

}  // namespace backstay
