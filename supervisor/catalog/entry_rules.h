// What fields and actions have in common: an id, members of a certain type,
// and warnings that name the place. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::catalog {

/// Appends, up to a bound: metadata is of any length, and is shown in lists.
void add_warning(std::vector<std::string>& warnings, std::string text);

/// "a number", "text", "an object": for "expected text, got a number".
std::string_view kind_of(const boost::json::value& value);

/// In single quotes, shortened, for a message.
std::string quoted(std::string_view text);

/// "fields[2]", or "fields[2] (limit)" when the entry has an id.
std::string place_of(std::string_view list, std::size_t index, const boost::json::value& entry);

/// True when `entry` has an id that is text with something in it. A whole
/// number becomes text, as the host makes it.
bool has_id(boost::json::object& entry);

/// Removes those of `names` that are there with another type, with a warning
/// each. null counts as absent.
void drop_unless_text(boost::json::object& entry, std::initializer_list<std::string_view> names,
                      const std::string& place, std::vector<std::string>& warnings);
void drop_unless_number(boost::json::object& entry, std::initializer_list<std::string_view> names,
                        const std::string& place, std::vector<std::string>& warnings);
void drop_unless_boolean(boost::json::object& entry, std::initializer_list<std::string_view> names,
                         const std::string& place, std::vector<std::string>& warnings);

/// The entries of `list` that `is_valid` accepts, after it changed them as
/// needed. It gets the entry, its place and the warnings, and adds the reason.
using EntryRule = std::function<bool(boost::json::object& entry, const std::string& place,
                                     std::vector<std::string>& warnings)>;
boost::json::array valid_entries(const boost::json::value& list, std::string_view list_name,
                                 const EntryRule& is_valid, std::vector<std::string>& warnings);

/// Rules of one entry, for valid_entries().
bool is_valid_field(boost::json::object& field, const std::string& place,
                    std::vector<std::string>& warnings);
bool is_valid_action(boost::json::object& action, const std::string& place,
                     std::vector<std::string>& warnings);

}  // namespace supervisor::catalog
