package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// kindSite is the lab in a Kind cluster.
type kindSite struct {
	e    *env
	name string
}

// The namespaces that the lab's workloads are in.
var labNamespaces = []string{target.NamespaceApp, target.NamespaceObservability}

// cluster is the cluster as it is.
func (s kindSite) cluster() *cluster.Cluster {
	return cluster.New(cluster.Config{Name: s.name, Progress: s.say})
}

func (s kindSite) say(line string) { s.e.say("· " + line) }

// notUp turns "no such cluster" into a failure that has been told.
func (s kindSite) notUp(err error) error {
	if errors.Is(err, cluster.ErrAbsent) {
		s.e.say(fmt.Sprintf("lab: there is no cluster %s; `go run ./ci/lab up --target kind` makes it", s.name))
		return errFailed
	}
	return err
}

func (s kindSite) down(ctx context.Context) error {
	c := s.cluster()
	there, err := c.Exists(ctx)
	if err != nil {
		return err
	}
	// Also when no node is there: a network may be.
	if err := c.Delete(ctx); err != nil {
		return err
	}
	if !there {
		fmt.Fprintf(s.e.stdout, "Nothing to delete: there is no cluster %s.\n", s.name)
		return nil
	}
	fmt.Fprintf(s.e.stdout, "The cluster %s is deleted, with all data in it.\n", s.name)
	return nil
}

func (s kindSite) reset(ctx context.Context) error { return s.down(ctx) }

func (s kindSite) logs(ctx context.Context, w io.Writer, name string, follow bool) error {
	err := deploy.Logs(ctx, s.cluster(), w, name, follow, labNamespaces...)
	if errors.Is(err, deploy.ErrUnknown) {
		return usageError{err}
	}
	return s.notUp(err)
}

func (s kindSite) traffic(ctx context.Context, o trafficRun) (r traffic.Report, err error) {
	return r, s.report(ctx, "traffic", append([]string{"traffic"}, o.flags...), &r)
}

func (s kindSite) verify(ctx context.Context, o verifyRun) (r report.Report, err error) {
	args := append([]string{"verify"}, o.flags...)
	if o.Run != nil {
		run, err := json.Marshal(o.Run)
		if err != nil {
			return r, err
		}
		args = append(args, "--run="+string(run))
	}
	return r, s.report(ctx, "verify", args, &r)
}

func (s kindSite) endpoints(ctx context.Context, o endpointsRun) (r report.Report, err error) {
	return r, s.report(ctx, "test-endpoints", append([]string{"test-endpoints"}, o.flags...), &r)
}

func (s kindSite) trace(ctx context.Context, w io.Writer, id string) error {
	result, err := s.job(ctx, "trace", []string{"trace", id})
	if err != nil {
		return err
	}
	if result.ExitCode != 0 {
		return errors.New(strings.TrimPrefix(strings.TrimSpace(string(result.Output)), "lab: "))
	}
	_, err = w.Write(result.Output)
	return err
}

func (s kindSite) lastRun() (string, error) {
	dir, err := s.e.labDir()
	return filepath.Join(dir, "last-traffic-"+s.name+".json"), err
}

// report runs `lab ARGS -o json` in the cluster and reads the report that it
// prints. What else it prints is passed on.
func (s kindSite) report(ctx context.Context, kind string, args []string, into any) error {
	result, err := s.job(ctx, kind, append(args, "--output=json"))
	if err != nil {
		return err
	}
	doc, rest := findJSON(result.Output)
	if doc == nil {
		return fmt.Errorf("%s ended in the cluster with exit code %d and without a report:\n%s", kind, result.ExitCode, strings.TrimSpace(string(rest)))
	}
	if text := strings.TrimSpace(string(rest)); text != "" {
		s.e.say(text)
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return fmt.Errorf("the report of %s: %w", kind, err)
	}
	return nil
}

// findJSON finds the indented JSON object among the lines of a Job's output: both
// of its output streams are in there.
func findJSON(output []byte) (doc, rest []byte) {
	begin, end, at := -1, -1, 0
	for line := range bytes.Lines(output) {
		switch text := bytes.TrimRight(line, "\r\n"); {
		case bytes.Equal(text, []byte("{")) && begin < 0:
			begin = at
		case bytes.Equal(text, []byte("}")) && begin >= 0:
			end = at + len(text)
		}
		at += len(line)
	}
	if end < 0 {
		return nil, output
	}
	return output[begin:end], append(append([]byte{}, output[:begin]...), output[end:]...)
}

// jobTimeout bounds a Job: heavy traffic takes minutes, and so does looking it up.
const jobTimeout = 30 * time.Minute

// job runs `lab ARGS` in the cluster, in the image that up has brought there.
func (s kindSite) job(ctx context.Context, kind string, args []string) (deploy.JobResult, error) {
	c := s.cluster()
	image, err := s.labImage(ctx, c)
	if err != nil {
		return deploy.JobResult{}, s.notUp(err)
	}
	manifest, err := manifests.Job(kind, manifests.JobOptions{
		Image: image, Args: append(args, "--target="+onCluster), Timeout: jobTimeout,
	})
	if err != nil {
		return deploy.JobResult{}, err
	}
	return deploy.RunJob(ctx, c, manifest, deploy.JobOptions{Progress: s.say})
}

// labImageNote is the annotation of the namespace of the Jobs with the reference of
// the lab image that up has loaded last.
const labImageNote = "lgtm-lab/image"

func (s kindSite) labImage(ctx context.Context, c *cluster.Cluster) (string, error) {
	out, err := c.Kubectl(ctx, nil, "get", "namespace", target.NamespaceObservability, "--ignore-not-found",
		"--output=jsonpath={.metadata.annotations.lgtm-lab/image}")
	if err != nil {
		return "", err
	}
	if ref := strings.TrimSpace(string(out)); ref != "" {
		return ref, nil
	}
	return "", fmt.Errorf("the cluster %s has no lab in it yet; finish with `go run ./ci/lab up --target kind`", s.name)
}

// noteImages remembers in the cluster which image the Jobs are to use.
func (s kindSite) noteImages(ctx context.Context, c *cluster.Cluster, refs map[string]string) error {
	_, err := c.Kubectl(ctx, nil, "annotate", "namespace", target.NamespaceObservability, "--overwrite",
		labImageNote+"="+refs["lab"])
	return err
}
