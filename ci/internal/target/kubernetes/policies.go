package kubernetes

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// ProbeCommand is the command of lab that a Job runs in the cluster to find out whether its
// network policies are enforced; it prints one of the words of [Probe].
const ProbeCommand = "probe-policies"

// The words of [Probe].
const (
	Enforced    = "enforced"
	NotEnforced = "not enforced"
)

const (
	// probeDial bounds one attempt: most plugins drop what they forbid.
	probeDial = 2 * time.Second
	// probeEvery is the pause between two attempts.
	probeEvery = 500 * time.Millisecond
)

// probeFor is how long a connection that the policies forbid may still be open, and one that
// they allow be closed: a plugin may need seconds until it knows a new pod. Tests have less.
var probeFor = 10 * time.Second

// Forbidden is what a Job of the lab's may not connect to, host:port: Loki's pod listens there,
// and no policy opens it.
func Forbidden() string {
	return net.JoinHostPort(target.Loki+"-0."+target.Loki+"-headless."+target.NamespaceObservability, strconv.Itoa(target.ClusterPorts().LokiGRPC))
}

// Probe tries to connect to an address that no policy opens, and returns [NotEnforced] when it
// can. allowed is an address that the policies open: without a connection to it, nothing can be
// said, and Probe fails.
func Probe(ctx context.Context, allowed, forbidden string) (string, error) {
	for began := time.Now(); ; {
		err := connects(ctx, allowed)
		if err == nil {
			break
		}
		if time.Since(began) > probeFor || wait.For(ctx, probeEvery) != nil {
			return "", fmt.Errorf("a connection that the policies allow fails: %w", err)
		}
	}
	for began := time.Now(); time.Since(began) < probeFor; {
		if connects(ctx, forbidden) != nil {
			return Enforced, context.Cause(ctx)
		}
		if err := wait.For(ctx, probeEvery); err != nil {
			return "", err
		}
	}
	return NotEnforced, nil
}

// connects fails when there is no connection to the address.
func connects(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: probeDial}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// openNetwork says so when the cluster does not enforce the lab's network policies.
func (t *Target) openNetwork(ctx context.Context, w Workloads) {
	done, err := w.Execute(ctx, []string{ProbeCommand})
	said := strings.TrimSpace(string(done.Output))
	switch {
	case err != nil:
		t.say("not known whether the network policies are enforced: " + err.Error())
	case done.ExitCode != 0:
		t.say("not known whether the network policies are enforced: " + said)
	case said == NotEnforced:
		t.say("this cluster's network plugin does not enforce network policies: every pod of the cluster reaches the lab's stores, which ask for no login")
	}
}
