// Deliveries as mail: a plain text with a subject that says what happened where.
#pragma once

#include <stop_token>
#include <string>

#include "common/mail/smtp.h"
#include "control-plane/alerts/deliveries.h"
#include "control-plane/notify/webhook.h"

namespace backstay::notify {

// "[Backstay] critical: Backup of prod failed", "[Backstay] resolved: …"; what is not known is left out.
mail::Message compose_mail(const alerts::Delivery& delivery);

Sent send_mail(const mail::SmtpOptions& options, const std::string& from, const std::string& to,
               const alerts::Delivery& delivery, TimeMs now, const std::stop_token& stop);

}  // namespace backstay::notify
