// What becomes of the agent's database when it is lost or damaged: what is left of it is set aside, never deleted, a
// note says so until somebody has seen to it (`backstay adopt`), and the agent goes on with a new one. A full disk, a
// missing right or a lock is no damage.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"

namespace backstay {

struct StateLoss {
    Timestamp at;
    std::string why;
    std::vector<std::string> kept_as;  // paths of what was set aside; the newest last
};
BOOST_DESCRIBE_STRUCT(StateLoss, (), (at, why, kept_as))

// More than so many are not set aside: something destroys them.
inline constexpr std::size_t kSetAsideMax = 5;

std::string state_file(const std::string& state_dir);

// Before the state is opened, by who holds its lock. Answers what was found lost now. An error: the state stays as it
// is; corrupted when kSetAsideMax lie there already.
Result<std::optional<StateLoss>> set_damage_aside(const std::string& state_dir, TimeMs now);
// After it was opened for the first time: from here on a missing file is a loss, not a beginning.
Result<> note_beginning(const std::string& state_dir);
bool has_begun(const std::string& state_dir);

// The loss that nobody has seen to.
Result<std::optional<StateLoss>> load_state_loss(const std::string& state_dir);
Result<> forget_state_loss(const std::string& state_dir);

// A statement met damage: the next start looks closely. Any thread.
void suspect_damage(const std::string& state_dir);
bool is_suspect(const std::string& state_dir);

// Tells whether the file is still the one that was there when it was made.
class StateWatch {
public:
    explicit StateWatch(std::string state_dir);
    // Why the agent must not go on with it; empty: it may.
    std::string trouble() const;

private:
    std::string state_dir_;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

}  // namespace backstay
