// audit: who has changed or controlled what.
#include <CLI/CLI.hpp>

#include "supervisor/cli/duration.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

constexpr std::chrono::milliseconds longest_look_back = std::chrono::hours(24 * 365 * 10);

struct AuditOptions {
  std::string key;
  std::chrono::milliseconds since{0};
  std::string action;
  std::string actor;
  std::uint32_t limit = 20;
  std::int64_t before = 0;
};

std::map<std::string, v1::AuditAction> actions() {
  std::map<std::string, v1::AuditAction> words;
  const auto* const all = v1::AuditAction_descriptor();
  for (int i = 0; i < all->value_count(); ++i)
    if (all->value(i)->number() != v1::AUDIT_ACTION_UNSPECIFIED)
      words.emplace(lower_without_prefix(all->value(i)->name(), "AUDIT_ACTION_"),
                    static_cast<v1::AuditAction>(all->value(i)->number()));
  return words;
}

std::string choices(const std::map<std::string, v1::AuditAction>& words) {
  std::string text;
  for (const auto& [word, action] : words) text += (text.empty() ? "" : "|") + word;
  return text;
}

std::string null_or_text(const std::string& text) {
  return text.empty() ? "null" : json_quote(text);
}

std::string entry_json(const v1::AuditEntry& entry) {
  JsonWriter json('{');
  json.number("id", entry.id())
      .text("at", utc_time(entry.time_unix_us()))
      .text("actor", entry.caller().actor())
      .raw("on_behalf_of", null_or_text(entry.caller().on_behalf_of()))
      .text("origin", entry.caller().origin())
      .raw("client", null_or_text(entry.caller().client()))
      .raw("request_id", null_or_text(entry.caller().request_id()))
      .raw("plugin", null_or_text(entry.plugin()))
      .text("action", entry.action())
      .raw("details", entry.details_json())
      .text("outcome", entry.reason().empty() ? "done" : "refused")
      .raw("reason", null_or_text(entry.reason()));
  return std::move(json).finish();
}

std::string actor_text(const v1::Caller& caller) {
  if (caller.on_behalf_of().empty()) return caller.actor();
  return caller.actor() + " for " + caller.on_behalf_of();
}

// "keys: url, step": without the marks that make it JSON.
std::string details_text(const std::string& json) {
  std::string text;
  for (const auto& member : json_members(json)) {
    std::string value = member.value;
    std::erase_if(value, [](char c) { return c == '"' || c == '[' || c == ']'; });
    if (!value.empty()) text += (text.empty() ? "" : ", ") + member.name + " " + value;
  }
  return text;
}

std::string entries_text(const v1::ListAuditResponse& response, bool colours) {
  Table table({{"WHEN"},
               {"WHO"},
               {"FROM"},
               {"PLUGIN", Table::Align::left, 128},
               {"ACTION"},
               {"OUTCOME"},
               {"WHAT", Table::Align::left, 80}});
  for (const auto& entry : response.entries())
    table.add_row({{utc_time(entry.time_unix_us())},
                   {actor_text(entry.caller())},
                   {entry.caller().client().empty()
                        ? entry.caller().origin()
                        : entry.caller().origin() + " " + entry.caller().client()},
                   {entry.plugin()},
                   {entry.action()},
                   {entry.reason().empty() ? "done" : "refused: " + entry.reason()},
                   {details_text(entry.details_json())}});
  return table.render(colours);
}

v1::ListAuditRequest request_of(const AuditOptions& options) {
  v1::ListAuditRequest request;
  request.set_key(options.key);
  if (!options.action.empty()) request.set_action(actions().at(options.action));
  request.set_actor(options.actor);
  request.set_limit(options.limit);
  request.set_before_id(options.before);
  if (options.since.count() > 0) {
    const auto then = std::chrono::system_clock::now() - options.since;
    request.set_since_unix_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(then.time_since_epoch()).count());
  }
  return request;
}

}  // namespace

Verb audit_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("audit", "List who has changed or controlled what, newest first");
  const auto options = std::make_shared<AuditOptions>();
  parser->add_option("KEY", options->key, "Only of this plugin");
  parser
      ->add_option_function<std::string>(
          "--since",
          [options](const std::string& text) {
            const auto parsed = parse_duration(text, longest_look_back);
            if (!parsed)
              throw CLI::ValidationError("--since",
                                         "\"" + text + "\" is not a duration like 30m, 12h or 7d");
            options->since = *parsed;
          },
          "Only of the last so long")
      ->type_name("DURATION");
  const auto words = actions();
  parser->add_option("--action", options->action, "Only this action")
      ->check(CLI::IsMember(words).description(""))
      ->type_name(choices(words));
  parser->add_option("--actor", options->actor, "Only by this actor, or on behalf of it")
      ->type_name("NAME");
  parser->add_option("-n,--limit", options->limit, "How many at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("NUMBER");
  parser->add_option("--before", options->before, "Only before the entry of this number (--json)")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("NUMBER");
  return {parser, [options](SupervisorClient& supervisor, Terminal& terminal) {
            const auto listed = supervisor.audit(request_of(*options));
            if (!listed) return terminal.fail(listed.error());
            if (!terminal.json()) {
              terminal.print(entries_text(*listed, terminal.colours()));
              return ExitCode::ok;
            }
            JsonWriter rows('[');
            for (const auto& entry : listed->entries()) rows.element(entry_json(entry));
            JsonWriter json('{');
            json.raw("entries", std::move(rows).finish());
            terminal.print_json(std::move(json).finish());
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
