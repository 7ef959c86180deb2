// Passwords among the settings, and what a process was started with.

#include <catch2/catch.hpp>

#include "supervisor/logs/log_book.h"
#include "supervisor/sys/secret_settings.h"
#include "supervisor/sys/start_secrets.h"

using namespace supervisor;

namespace {

constexpr std::string_view fields =
    R"([{"id":"user","type":"string"},{"id":"word","type":"string","input_type":"password"},)"
    R"({"id":"pin","type":"number","input_type":"password"},{"id":"x","input_type":7},3])";

}  // namespace

TEST_CASE("passwords are masked and the rest is left to the byte", "[secrets]") {
  const auto masked = [](std::string_view settings) {
    return sys::with_secrets_masked(settings, fields);
  };
  CHECK(masked(R"({"user" :"me","word":"a\"b", "big":123456789012345678901234567890})") ==
        R"({"user" :"me","word":"********", "big":123456789012345678901234567890})");
  CHECK(masked(R"({"pin":1234,"word":["a","b"]})") == R"({"pin":"********","word":"********"})");
  CHECK(masked(R"({"word":"","pin":null})") == R"({"word":"","pin":null})");
  CHECK(masked("{}") == "{}");
  CHECK(sys::with_secrets_masked(R"({"word":"a"})", "") == R"({"word":"a"})");
  CHECK(sys::with_secrets_masked(R"({"word":"a"})", R"({"input_type":"password"})") ==
        R"({"word":"a"})");
}

TEST_CASE("a mask that comes back is what is stored", "[secrets]") {
  constexpr std::string_view stored = R"({"user":"me","word":"a\"b","pin":12})";
  CHECK(sys::with_secrets_kept(R"({"user":"you","word":"********","pin":"********"})", stored,
                               fields) == R"({"user":"you","word":"a\"b","pin":12})");
  CHECK(sys::with_secrets_kept(R"({"word":"new"})", stored, fields) == R"({"word":"new"})");
  CHECK(sys::with_secrets_kept("{}", stored, fields) == "{}");
  // It is a word like any other where no password is.
  CHECK(sys::with_secrets_kept(R"({"user":"********"})", stored, fields) ==
        R"({"user":"********"})");
  CHECK(sys::with_secrets_kept(R"({"word":"********"})", "{}", fields) == R"({"word":""})");
}

TEST_CASE("the values that no log may have are those of text that is long enough", "[secrets]") {
  CHECK(sys::secret_values(R"({"user":"longer","word":"a\u00e4bc","pin":123456})", fields) ==
        std::vector<std::string>{"a\u00e4bc"});
  CHECK(sys::secret_values(R"({"word":"abc"})", fields).empty());
}

TEST_CASE("a plugin's log has a mask where its passwords were", "[secrets]") {
  const auto book = std::make_shared<logs::LogBook>();
  book->hide({"hidden-word"});
  v1::LogBatch batch;
  batch.add_lines()->set_text("logged hidden-word twice: hidden-word");
  book->take_logged(batch, 1);
  book->take_printed({"printed hidden-word", 19}, v1::LOG_SOURCE_STDOUT, 1);
  v1::LogLine own;
  own.set_text("it raised hidden-word");
  book->append(own);
  std::vector<std::string> texts;
  for (const auto& line : book->tail(0)) texts.push_back(line.text());
  CHECK(texts == std::vector<std::string>{"logged ******** twice: ********", "printed ********",
                                          "it raised ********"});
  CHECK(book->last_texts(1, 10) ==
        std::vector<std::string>{"logged ******** twice: ********", "printed ********"});
}

TEST_CASE("what was given on the command line is overwritten there", "[secrets]") {
  std::string program = "x";
  std::string option = "--database";
  std::string value = "secret";
  std::string joined = "--database=secret";
  std::string other = "--database-file=kept";
  char* words[] = {program.data(), option.data(), value.data(), joined.data(), other.data()};
  sys::erase_argument(5, words, "--database");
  CHECK(std::string(value.c_str()).empty());
  CHECK(value.find("secret") == std::string::npos);
  CHECK(std::string(joined.c_str()) == "--database=");
  CHECK(joined.find("secret") == std::string::npos);
  CHECK(other == "--database-file=kept");
}
