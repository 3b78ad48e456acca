#include "control-plane/notify/mailer.h"

#include "common/json/json.h"

namespace backstay::notify {
namespace {

std::string text_of(const json::Object& object, std::string_view name) {
    const json::Value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void line(std::string& body, std::string_view title, const std::string& value) {
    if (!value.empty()) body.append(title).append(": ").append(value).append("\n");
}

std::string body_of(const json::Object& alert, const std::string& action) {
    std::string body = text_of(alert, "title") + "\n\n" + text_of(alert, "message") + "\n\n";
    line(body, "Severity", text_of(alert, "severity"));
    line(body, "Environment", text_of(alert, "environmentName"));
    line(body, "Reason", text_of(alert, "reason"));
    if (const json::Value* count = alert.if_contains("occurrences"); count != nullptr && count->is_int64()) {
        if (count->get_int64() > 1) line(body, "Occurrences", std::to_string(count->get_int64()));
    }
    line(body, "First", text_of(alert, "firstOccurredAt"));
    line(body, "Last", text_of(alert, "lastOccurredAt"));
    line(body, "Resolved", text_of(alert, "resolvedAt"));
    line(body, "See", text_of(alert, "url"));
    line(body, "Alert", text_of(alert, "id"));
    return action == "resolved" ? "The cause of this alert is over.\n\n" + body : body;
}

}  // namespace

mail::Message compose_mail(const alerts::Delivery& delivery) {
    mail::Message out;
    out.message_id = delivery.id;
    out.subject = "[Backstay] " + delivery.event;
    const auto parsed = json::parse(delivery.body);
    if (!parsed || !parsed->is_object()) return out;
    const json::Object& envelope = parsed->get_object();
    const json::Value* alert = envelope.if_contains("alert");
    if (alert == nullptr || !alert->is_object()) {
        out.body = text_of(envelope, "message") + "\n";
        return out;
    }
    const std::string action = text_of(envelope, "action");
    const std::string word = action == "resolved" ? action : text_of(alert->get_object(), "severity");
    out.subject = "[Backstay] " + word + ": " + text_of(alert->get_object(), "title");
    out.body = body_of(alert->get_object(), action);
    return out;
}

Sent send_mail(const mail::SmtpOptions& options, const std::string& from, const std::string& to,
               const alerts::Delivery& delivery, TimeMs now, const std::stop_token& stop) {
    mail::Message message = compose_mail(delivery);
    message.from = from;
    message.to = to;
    message.date = now;
    const auto sent = mail::send(options, message, stop);
    if (sent) return {};
    // A login or a certificate can be mended; an address that is none cannot.
    return {std::nullopt, sent.error().message(), sent.error().code() == Errc::invalid};
}

}  // namespace backstay::notify
