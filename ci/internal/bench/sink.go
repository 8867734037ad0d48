package bench

import (
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// sink receives OTLP over gRPC, says that all is well, and drops it unread. So what a
// service spends on its telemetry is measured, and not what a receiver does.
type sink struct {
	address string
	server  *grpc.Server
}

// newSink listens on a free port of this machine. The caller must close it.
func newSink() (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{address: listener.Addr().String(), server: grpc.NewServer(
		grpc.ForceServerCodecV2(unread{}),
		grpc.MaxRecvMsgSize(64<<20),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			var request struct{}
			if err := stream.RecvMsg(&request); err != nil {
				return err
			}
			return stream.SendMsg(&request) // an empty response is a complete success
		}),
	)}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *sink) close() { s.server.Stop() }

// unread is a codec that reads nothing and writes nothing.
type unread struct{}

var _ encoding.CodecV2 = unread{}

func (unread) Marshal(any) (mem.BufferSlice, error) { return nil, nil }
func (unread) Unmarshal(mem.BufferSlice, any) error { return nil }
func (unread) Name() string                         { return "proto" }
