// Looks at what is stored already: verifications and drills.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "common/domain/reasons.h"

namespace backstay {

// By the reason of a look that is not green: it could not be had, and says nothing of what is stored.
inline bool could_not_look(std::string_view reason) {
    static constexpr std::array kNotDone = {reason::kAgentOffline,
                                            reason::kAgentRestarted,
                                            reason::kTimeout,
                                            reason::kDestinationUnreachable,
                                            reason::kDestinationAuthFailed,
                                            reason::kEncryptionKeyMissing,
                                            reason::kDbUnreachable,
                                            reason::kDbAuthFailed,
                                            reason::kPgToolTooOld,
                                            reason::kDiskSpaceLow};
    return std::find(kNotDone.begin(), kNotDone.end(), reason) != kNotDone.end();
}

}  // namespace backstay
