// A HashiCorp go-plugin host: starts a Python plugin, asks it one thing, ends
// it, as often as it is told to. The peer of the benchmarks "start" and "crash".
//
//	go_plugin_host COUNT COMMAND [ARGUMENT]...
//
// One line of JSON on stdout: for each start the microseconds until the plugin
// could be called, and until its first answer was there.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What the plugin answers to: JSON as bytes, so that nothing has to be generated.
type echo struct {
	plugin.NetRPCUnsupportedPlugin
}

func (echo) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (echo) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, link *grpc.ClientConn) (any, error) {
	return link, nil
}

type sample struct{ ready, answered time.Duration }

func start(command []string) (sample, error) {
	var measured sample
	began := time.Now()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "BENCH_PLUGIN",
			MagicCookieValue: "echo",
		},
		Plugins:          plugin.PluginSet{"echo": echo{}},
		Cmd:              exec.Command(command[0], command[1:]...),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		SyncStderr:       io.Discard,
		StartTimeout:     30 * time.Second,
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		return measured, err
	}
	dispensed, err := protocol.Dispense("echo")
	if err != nil {
		return measured, err
	}
	measured.ready = time.Since(began)
	deadline, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var answer wrapperspb.BytesValue
	question := wrapperspb.Bytes([]byte(`{"n":7}`))
	if err := dispensed.(*grpc.ClientConn).Invoke(deadline, "/bench.Echo/Run", question, &answer); err != nil {
		return measured, err
	}
	measured.answered = time.Since(began)
	var said struct{ N int }
	if err := json.Unmarshal(answer.Value, &said); err != nil || said.N != 7 {
		return measured, fmt.Errorf("the plugin answered %q", answer.Value)
	}
	return measured, nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go_plugin_host COUNT COMMAND [ARGUMENT]...")
		os.Exit(2)
	}
	count, err := strconv.Atoi(os.Args[1])
	if err != nil || count < 1 {
		fmt.Fprintln(os.Stderr, "COUNT must be a positive number")
		os.Exit(2)
	}
	var ready, answered []int64
	for range count {
		measured, err := start(os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "go_plugin_host:", err)
			os.Exit(1)
		}
		ready = append(ready, measured.ready.Microseconds())
		answered = append(answered, measured.answered.Microseconds())
	}
	json.NewEncoder(os.Stdout).Encode(map[string][]int64{"ready_us": ready, "answered_us": answered})
}
