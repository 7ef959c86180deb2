// The plain way: a Python grpcio server in the worker, one unary call per
// invocation, driven by gRPC's C++ callback client over a Unix socket.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>  // How protobuf messages are (de)serialised.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "tests/bench/link/python_process.h"

namespace bench {

class UnarySide {
 public:
  /// Waits until the server answers. Throws.
  UnarySide(const std::string& python, const std::filesystem::path& scratch);
  void begin(const std::string& params, std::function<void(bool ok)> done);

 private:
  using Stub =
      grpc::TemplatedGenericStub<plugin_supervisor::v1::Invoke, plugin_supervisor::v1::Result>;
  std::optional<PythonProcess> process_;
  std::optional<Stub> stub_;
};

}  // namespace bench
