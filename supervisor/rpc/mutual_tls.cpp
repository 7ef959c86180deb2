#include "supervisor/rpc/mutual_tls.h"

#include <sys/stat.h>

#include <stdexcept>

#include "supervisor/sys/file.h"

namespace supervisor::rpc {
namespace {

constexpr std::size_t largest = 1u << 20;

std::string read_pem(const std::filesystem::path& file, const char* kind) {
  auto text = sys::read_file(file, largest);
  if (text.find(std::string(kind) + "-----") == std::string::npos)
    throw std::runtime_error(file.string() + " holds no " + kind + " in PEM form");
  return text;
}

}  // namespace

TlsTexts read_tls(const TlsFiles& files) {
  TlsTexts texts;
  texts.certificate = read_pem(files.certificate, "CERTIFICATE");
  texts.key = read_pem(files.key, "PRIVATE KEY");
  texts.authorities = read_pem(files.authorities, "CERTIFICATE");
  struct stat status {};
  if (::stat(files.key.c_str(), &status) == 0 && (status.st_mode & S_IRWXO) != 0)
    throw std::runtime_error("everybody can read the key " + files.key.string() + ": chmod 600");
  return texts;
}

std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsTexts& texts) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = texts.authorities;
  options.pem_key_cert_pairs.push_back({texts.key, texts.certificate});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> client_credentials(const TlsTexts& texts) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = texts.authorities;
  options.pem_private_key = texts.key;
  options.pem_cert_chain = texts.certificate;
  return grpc::SslCredentials(options);
}

}  // namespace supervisor::rpc
