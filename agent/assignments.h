// From what the control plane hands out to a job of the worker.
#pragma once

#include "agent/worker/settings.h"
#include "agent/worker/worker.h"
#include "control-plane-client/protocol.h"

namespace backstay {

// Queues it and reports that it was accepted; an order that cannot run here is rejected with its reason; an offer that
// is known already is ignored. When the queue is full nothing is said: it will be offered again.
void take_assignment(const control_plane::Assignment& assignment, const Settings& settings, Worker& worker,
                     sqlite::Database& database);

}  // namespace backstay
