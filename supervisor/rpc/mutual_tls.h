// TLS by which both sides show a certificate: the supervisor over TCP, and who
// calls it. Whoever holds a key is let in, so that the files are looked at, too.
#pragma once

#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <memory>
#include <string>

namespace supervisor::rpc {

/// PEM files.
struct TlsFiles {
  std::filesystem::path certificate;  // Ours, with those between it and its authority.
  std::filesystem::path key;
  std::filesystem::path authorities;  // Whom the other side's certificate must be by.

  /// One, or all.
  [[nodiscard]] bool any() const {
    return !certificate.empty() || !key.empty() || !authorities.empty();
  }
  [[nodiscard]] bool all() const {
    return !certificate.empty() && !key.empty() && !authorities.empty();
  }
};

/// What is in them.
struct TlsTexts {
  std::string certificate;
  std::string key;
  std::string authorities;
};

/// Throws std::runtime_error in words that name the file: one that cannot be
/// read, or a key that everybody can.
TlsTexts read_tls(const TlsFiles& files);

/// A client without a certificate that is in date and by these authorities is
/// refused in the handshake.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsTexts& texts);

std::shared_ptr<grpc::ChannelCredentials> client_credentials(const TlsTexts& texts);

}  // namespace supervisor::rpc
