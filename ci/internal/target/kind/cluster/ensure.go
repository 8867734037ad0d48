package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
)

// marker is a file in the control-plane node. It says that the cluster was once
// whole, so that what is in it is somebody's and not to be thrown away.
const marker = "/kind/lgtm-lab-made"

// limits are how long is waited for what. Only tests use others than [usual].
type limits struct {
	// start is the time until a cluster whose nodes were stopped answers:
	// Kubernetes' own retries take up to a minute. answer is that of one that runs.
	start, answer time.Duration
	// clear is the time until a node that is in the way has gone: a slow disk takes
	// most of a minute to make a container of a node's size.
	clear time.Duration
	// every is the time between two looks.
	every time.Duration
}

var usual = limits{start: 2 * time.Minute, answer: 20 * time.Second, clear: 2 * time.Minute, every: time.Second}

// Ensure makes the cluster unless it is there, and reports whether it has. A
// cluster that was stopped is started again; one that an interrupted run has left
// half made is deleted and made anew. One that was whole and does not come to
// life, or that was made with other ports or nodes, is left alone unless Recreate
// is set: an error says what to do.
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
	// What is going to be deleted need not be started.
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
			"Call again with those, or make it anew, without its data: up --recreate.", c.Name, strings.Join(differs, "; "))
	}
	return false, fmt.Errorf("the cluster %s was whole once, but does not come to life: %w\n"+
		"To make it anew, without its data: up --recreate.\n"+
		"Its own log: docker logs %s; docker exec %s journalctl -u kubelet", c.Name, err, c.controlPlane(), c.controlPlane())
}

// Why a cluster is made anew, or is not usable.
const (
	halfMade      = "an interrupted run has left it half made"
	otherSettings = "it was made with other settings: "
)

// anew deletes the cluster with all that is in it, and makes it again.
func (c *Cluster) anew(ctx context.Context, why string) error {
	c.say("cluster: %s; making it anew", why)
	if err := c.Delete(ctx); err != nil {
		return err
	}
	return c.create(ctx)
}

// start starts the nodes that do not run, and reports whether there were any.
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

// has tells whether the control-plane node has a file. The file can be copied out of a
// node that does not run, too. Where that cannot be found out, the answer is yes: a
// cluster is not deleted because a runtime has hiccups.
func (c *Cluster) has(ctx context.Context, file string) bool {
	_, err := c.docker(ctx, nil, "cp", c.controlPlane()+":"+file, "-")
	if err == nil {
		return true
	}
	said := strings.ToLower(err.Error())
	// As Docker says it, before version 23 and since, and as Podman does.
	return !slices.ContainsFunc([]string{"no such container", "could not find the file", "could not be found"},
		func(absent string) bool { return strings.Contains(said, absent) })
}

func (c *Cluster) mark(ctx context.Context) error {
	_, err := c.docker(ctx, nil, "exec", c.controlPlane(), "touch", marker)
	return err
}

// answers waits until the cluster is whole. One that was never whole gets no
// time: nobody is at work on it any more.
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

// complete judges what `kubectl get nodes,storageclasses` prints: the last steps
// in which Kind makes a cluster are the network, the storage class and the
// workers.
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

// create makes the cluster. What a run that was killed a moment ago has asked the
// runtime for may still be under way: a node's name is then taken, but the node
// cannot be seen yet. Such a node is waited for and cleared away.
func (c *Cluster) create(ctx context.Context) error {
	image, err := c.ensureNodeImage(ctx)
	if err != nil {
		return err
	}
	for begin, told := time.Now(), false; ; {
		if err := c.ensureNetwork(ctx); err != nil {
			return err
		}
		err := c.createOnce(ctx, image)
		if err == nil {
			c.forget()
			return c.mark(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return err
		case !inTheWay(err) || time.Since(begin) > c.limits.clear:
			return explainCreate(err)
		}
		if !told {
			told = true
			c.say("cluster: a node of an interrupted run is in the way; clearing it away")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(c.limits.every):
		}
		if err := c.Delete(ctx); err != nil {
			return err
		}
	}
}

// createOnce has Kind make the cluster. Kind cannot be told to stop; when ctx
// ends, what it has begun is found and cleared away by the next Ensure or Delete.
func (c *Cluster) createOnce(ctx context.Context, image string) error {
	cfg, err := c.kindConfig()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lgtm-lab-")
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		// Kind always writes a kubeconfig; nobody reads this one.
		defer os.RemoveAll(dir)
		done <- c.kind.Create(c.Name,
			cluster.CreateWithV1Alpha4Config(cfg), cluster.CreateWithNodeImage(image),
			cluster.CreateWithKubeconfigPath(filepath.Join(dir, "config")))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-done:
		return err
	}
}

// inTheWay tells whether a creation failed because nodes of that name exist.
func inTheWay(err error) bool {
	text := quoted(err).Error()
	return strings.Contains(text, "node(s) already exist") || strings.Contains(text, "is already in use by container")
}

// pullAdvice is what to do when the nodes' image cannot be pulled.
const pullAdvice = "The runtime cannot pull the node image. Give it as a file (--archives DIR with node.tar), or another with --node-image."

// explainCreate adds to Kind's error what to do about it, where that is known.
func explainCreate(err error) error {
	err = quoted(err)
	for _, known := range []struct{ sign, advice string }{
		{"port is already allocated", "Another container has the port: `docker ps` shows which. --port frontend=8081 or grafana=3001 uses others."},
		{"address already in use", "Another program listens on the port. --port frontend=8081 or grafana=3001 uses others."},
		{"no space left on device", "The container runtime's disk is full: `docker system df` shows with what."},
		{"Unable to find image", pullAdvice},
		{"failed to pull image", pullAdvice},
		{"could not find a log line that matches", "The node's init did not come up. Mostly the inotify limits are too low (sysctl fs.inotify.max_user_instances=512), or the runtime does not allow privileged containers."},
	} {
		if strings.Contains(err.Error(), known.sign) {
			return fmt.Errorf("making the cluster: %w\n%s", err, known.advice)
		}
	}
	return fmt.Errorf("making the cluster: %w", err)
}
