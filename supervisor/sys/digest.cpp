#include "supervisor/sys/digest.h"

#include <openssl/evp.h>

#include <stdexcept>

namespace supervisor::sys {

std::string sha256(std::string_view content) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &size, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL could not make a digest");
  digest.resize(size);
  return digest;
}

}  // namespace supervisor::sys
