// Package relay passes connections on to another address.
package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// dialWithin bounds the wait until a target accepts a connection.
const dialWithin = 10 * time.Second

// Serve passes every connection to ln on to the address target. When ctx ends, it closes
// ln and all connections, and returns nil. When it cannot reach the target, it closes the
// connection and reports the error to progress.
func Serve(ctx context.Context, ln net.Listener, target string, progress func(line string)) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		in, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("forwarding %s: %w", ln.Addr(), err)
		}
		open.Go(func() {
			if err := pass(ctx, in, target); err != nil && ctx.Err() == nil {
				progress(fmt.Sprintf("forward: %v", err))
			}
		})
	}
}

// pass copies one connection, each direction until its sender has closed it.
func pass(ctx context.Context, in net.Conn, target string) error {
	defer in.Close()
	dialer := net.Dialer{Timeout: dialWithin}
	out, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { in.Close(); out.Close() })()
	var both sync.WaitGroup
	both.Go(func() { carry(out, in) })
	both.Go(func() { carry(in, out) })
	both.Wait()
	return nil
}

// carry copies one direction. At its end it closes this direction alone, so that the other
// may go on.
func carry(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	to.Close()
	from.Close()
}
