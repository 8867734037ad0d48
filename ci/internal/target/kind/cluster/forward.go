package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"
)

// dialWithin bounds the time in which a target has to take a connection.
const dialWithin = 10 * time.Second

// Forward passes every connection that is made to ln on to the address target,
// until ctx ends: then it closes ln and all connections, and returns nil. A target
// that cannot be reached costs the connection, and is told to progress.
func Forward(ctx context.Context, ln net.Listener, target string, progress func(line string)) error {
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

// pass carries one connection, each direction until its sender has closed it.
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

// carry copies one direction and then says to the receiver that no more will
// come, while the other direction may go on.
func carry(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	to.Close()
	from.Close()
}

// RuntimeHost is the name of the machine that the container runtime publishes
// ports on, by the value of DOCKER_HOST. It fails when that is a socket on this
// machine, or is reached in a way that says nothing of its ports.
func RuntimeHost(dockerHost string) (string, error) {
	u, err := url.Parse(dockerHost)
	switch {
	case dockerHost == "" || err == nil && (u.Scheme == "unix" || u.Scheme == "npipe"):
		return "", errors.New("the container runtime is on this machine, and so are the ports that it publishes: nothing needs to be forwarded")
	case err != nil || u.Scheme != "tcp" && u.Scheme != "ssh" || u.Hostname() == "":
		return "", fmt.Errorf("DOCKER_HOST is %q: want tcp://HOST:PORT or ssh://HOST to know where ports are published", dockerHost)
	}
	return u.Hostname(), nil
}
