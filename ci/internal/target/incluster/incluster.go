// Package incluster is the lab in the cluster whose pod this program runs in. The program
// can send requests to that lab, but cannot bring it up or down.
package incluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// Target is the lab in the cluster of this pod.
type Target struct{}

var _ target.Gated = Target{}

// Addresses implements [target.Reachable] with the names of the Services.
func (Target) Addresses(ctx context.Context) (target.Addresses, error) {
	return existing(ctx, target.Cluster(), net.DefaultResolver.LookupHost), nil
}

// existing leaves out the inspector where the cluster has no such Service. A name server that
// does not answer, as it does not to a pod that the network plugin does not know yet, leaves
// the address in.
func existing(ctx context.Context, at target.Addresses, lookup func(context.Context, string) ([]string, error)) target.Addresses {
	u, err := url.Parse(at.Inspector)
	if err != nil {
		return at
	}
	for range lookups {
		_, err := lookup(ctx, u.Hostname())
		if err == nil {
			break
		}
		if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
			at.Inspector = ""
			break
		}
		if wait.For(ctx, lookupInterval) != nil {
			break
		}
	}
	return at
}

// How often, and how long apart, a name server that does not answer is asked.
const (
	lookups        = 20
	lookupInterval = 500 * time.Millisecond
)

// TrafficFile implements [target.Target]. It is "": a pod's files are gone when the pod
// ends, so the target keeps no report.
func (Target) TrafficFile() (string, error) { return "", nil }

// Up implements [target.Target]: it fails with [target.ErrNotHere], as do Down,
// Reset, Status, Logs and Temporary.
func (Target) Up(context.Context) (target.Summary, error) { return target.Summary{}, notHere("up") }

// Down implements [target.Target].
func (Target) Down(context.Context) (string, error) { return "", notHere("down") }

// Reset implements [target.Target].
func (Target) Reset(context.Context) (string, error) { return "", notHere("reset") }

// Status implements [target.Target].
func (Target) Status(context.Context) (target.Status, error) {
	return target.Status{}, notHere("status")
}

// Logs implements [target.Target].
func (Target) Logs(context.Context, io.Writer, string, bool) error { return notHere("logs") }

// Temporary implements [target.Target].
func (Target) Temporary(context.Context) (target.Target, func(), error) {
	return nil, nil, notHere("--up")
}

func notHere(what string) error {
	return fmt.Errorf("%s: not on the target %s: %w", what, target.InCluster, target.ErrNotHere)
}
