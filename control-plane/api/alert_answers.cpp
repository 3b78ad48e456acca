#include "control-plane/api/alert_answers.h"

#include "control-plane/alerts/telling.h"

namespace backstay::api {

Result<json::Value> alert_answer(Names& names, const alerts::Alert& alert) {
    const auto environment = TRY(names.environment(alert.about.environment_id));
    std::optional<alerts::Place> place;
    if (environment) place = {environment->name, environment->type};
    return json::Value(alerts::alert_object(alert, place));
}

}  // namespace backstay::api
