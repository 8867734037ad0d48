package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// marker is a file in the control-plane node. It says that the cluster was whole once, so
// that it may have a user's data and must not be deleted unasked.
const marker = "/kind/lgtm-lab-made"

// limits bound the waits of this package. Only tests use others than [usual].
type limits struct {
	// start bounds the wait until a cluster whose nodes were stopped answers:
	// Kubernetes' own retries take up to a minute. answer is the same for a cluster
	// that runs.
	start, answer time.Duration
	// clear bounds the wait until a node that is in the way has gone: on a slow disk it
	// takes most of a minute to make a container of a node's size.
	clear time.Duration
	// every is the time between two attempts.
	every time.Duration
}

var usual = limits{start: 2 * time.Minute, answer: 20 * time.Second, clear: 2 * time.Minute, every: time.Second}

// Ensure makes the cluster unless it is there, and reports whether it has made one. It
// starts a cluster that was stopped. It replaces a cluster that an interrupted run has left
// half made. It does not touch a cluster that was whole once and does not come to life, or
// that was made with other settings, unless Recreate is set: the error says what to do.
func (c *Cluster) Ensure(ctx context.Context) (made bool, err error) {
	want, err := c.wanted()
	if err != nil {
		return false, err
	}
	found, err := c.containers(ctx)
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		return true, c.create(ctx)
	}
	differs, whole := want.differences(found), c.marked(ctx)
	if other := otherImage(found, c.nodeReference()); other != "" {
		differs = append(differs, other)
	}
	// Do not start a cluster that is going to be deleted.
	switch {
	case !whole && slices.ContainsFunc(found, container.stopped):
		return true, c.anew(ctx, halfMade)
	case c.Recreate && len(differs) > 0:
		return true, c.anew(ctx, otherSettings+strings.Join(differs, "; "))
	}
	started, err := c.start(ctx, found)
	if err != nil {
		c.say("cluster: its nodes do not start: %v", err)
	}
	if err == nil {
		err = c.answers(ctx, len(found), started, whole)
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	switch {
	case err == nil && len(differs) == 0:
		return false, c.mark(ctx)
	case err == nil && !whole && len(found) != want.nodes, err != nil && !whole:
		return true, c.anew(ctx, halfMade)
	case c.Recreate:
		return true, c.anew(ctx, "it was whole once, but does not come to life: "+err.Error())
	case err == nil:
		return false, fmt.Errorf("the cluster %s: "+otherSettings+"%s.\n"+
			"Call again with its settings, or replace it, without its data: up --recreate.", c.Name, strings.Join(differs, "; "))
	}
	return false, fmt.Errorf("the cluster %s was whole once, but does not come to life: %w\n"+
		"To replace it, without its data: up --recreate.\n"+
		"Its own log: docker logs %s; docker exec %s journalctl -u kubelet", c.Name, err, c.controlPlane(), c.controlPlane())
}

// Why a cluster is made anew, or is not usable.
const (
	halfMade      = "an interrupted run has left it half made"
	otherSettings = "it was made with other settings: "
)

// anew deletes the cluster with everything in it, and makes it again.
func (c *Cluster) anew(ctx context.Context, why string) error {
	c.say("cluster: %s; making it anew", why)
	if err := c.fetchNodeImage(ctx); err != nil {
		return fmt.Errorf("the cluster %s was left as it is, because there is no image for another: %w", c.Name, err)
	}
	if err := c.Delete(ctx); err != nil {
		return err
	}
	return c.create(ctx)
}

// start starts the nodes that do not run, and reports whether it has started any.
func (c *Cluster) start(ctx context.Context, found []container) (started bool, err error) {
	for _, n := range found {
		if !n.stopped() {
			continue
		}
		verb := "start"
		if n.Status == "paused" {
			verb = "unpause"
		}
		if !started {
			c.say("cluster: it is %s; starting it", n.Status)
		}
		started = true
		if _, err := c.docker(ctx, nil, verb, n.Name); err != nil {
			return started, err
		}
	}
	return started, nil
}

// marked tells whether the cluster was whole once.
func (c *Cluster) marked(ctx context.Context) bool { return c.has(ctx, marker) }

// has tells whether the control-plane node has a file. It works for a stopped node, too.
// When the runtime does not say, the answer is yes, so that a failing runtime does not get
// the cluster deleted.
func (c *Cluster) has(ctx context.Context, file string) bool {
	_, err := c.docker(ctx, nil, "cp", c.controlPlane()+":"+file, "-")
	if err == nil {
		return true
	}
	said := strings.ToLower(err.Error())
	// These are the messages of Docker before version 23, of Docker since, and of Podman.
	return !slices.ContainsFunc([]string{"no such container", "could not find the file", "could not be found"},
		func(absent string) bool { return strings.Contains(said, absent) })
}

func (c *Cluster) mark(ctx context.Context) error {
	_, err := c.docker(ctx, nil, "exec", c.controlPlane(), "touch", marker)
	return err
}

// answers waits until the cluster is whole. It does not wait for a cluster that was never
// whole, because no program is making it any more.
func (c *Cluster) answers(ctx context.Context, nodes int, started, whole bool) error {
	limit := c.limits.answer
	if started {
		limit = c.limits.start
	}
	if !whole {
		limit = 0
	}
	deadline := time.Now().Add(limit)
	for {
		c.forget()
		raw, err := c.Kubectl(ctx, nil, "get", "nodes,storageclasses", "--output=json", "--request-timeout=5s")
		if err == nil {
			err = complete(raw, nodes)
		}
		if err == nil || ctx.Err() != nil || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(c.limits.every):
		}
	}
}

// complete reads the output of `kubectl get nodes,storageclasses` and fails unless the
// cluster is whole: the network, the storage class and the workers are Kind's last steps.
func complete(raw []byte, nodes int) error {
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("reading the nodes: %w", err)
	}
	ready, storage := 0, false
	var why error
	for _, item := range list.Items {
		if item.Kind == "StorageClass" {
			storage = true
		}
		for _, condition := range item.Status.Conditions {
			if item.Kind != "Node" || condition.Type != "Ready" {
				continue
			}
			if condition.Status == "True" {
				ready++
			} else {
				why = fmt.Errorf("the node %s is not ready: %s", item.Metadata.Name, condition.Message)
			}
		}
	}
	switch {
	case why != nil:
		return why
	case ready != nodes:
		return fmt.Errorf("%d of %d nodes are ready", ready, nodes)
	case !storage:
		return errors.New("it has no storage class")
	}
	return nil
}
