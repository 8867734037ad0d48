package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Kubernetes attributes that all telemetry of a pod carries, under their names on
// spans. Loki and Mimir write underscores for the dots.
const (
	namespaceAttribute = "k8s.namespace.name"
	podAttribute       = "k8s.pod.name"
)

// podSeries are the metrics of every pod that the nodes measure, by cAdvisor.
var podSeries = []struct{ name, selector string }{
	{"CPU", "container_cpu_usage_seconds_total"},
	{"memory", "container_memory_working_set_bytes"},
	{"network", "container_network_receive_bytes_total"},
}

// podDisk is the metric of pods that write to a disk; of the services only the backend
// does. Some kernels do not measure it: with cgroup v1 most pods have no such series.
const podDisk = "container_fs_writes_bytes_total"

// kubernetes checks what a cluster adds: that the nodes measure the pods, and that
// every signal names its pod.
func (v *verifier) kubernetes(ctx context.Context, p *probe) {
	for _, s := range podSeries {
		v.check("kubernetes", s.name+" of the pods", "> 0 for frontend and backend", func() (string, error) {
			return v.measuredPods(ctx, s.selector, target.Frontend, target.Backend)
		})
	}
	v.check("kubernetes", "disk of the pods", "> 0 for the backend, or for the node where no pod's is counted", func() (string, error) {
		return v.measuredDisk(ctx)
	})
	pods := map[string]string{}
	v.check("kubernetes", "a trace names its pods", "namespace app, a pod of each service", func() (string, error) {
		switch {
		case p.err != nil:
			return "", p.err
		case p.wayErr != nil:
			return "", fmt.Errorf("the request is not one whole trace: %w", p.wayErr)
		}
		return podsOf(map[string]query.Span{target.Frontend: p.way.server, target.Backend: p.way.backend}, pods)
	})
	v.check("kubernetes", "log lines name the same pods", "namespace and pod of both access-log lines", func() (string, error) {
		return v.podLines(ctx, p, pods)
	})
	v.check("kubernetes", "metrics name the same pods", "namespace and pod of both request metrics", func() (string, error) {
		return v.podMetrics(ctx, pods)
	})
}

// measuredPods waits until a pod of every service has a new value above 0.
func (v *verifier) measuredPods(ctx context.Context, metric string, services ...string) (measured string, err error) {
	// A pod has a series of its own, which is the largest, and one for each container.
	promQL := fmt.Sprintf(`max by (pod) (last_over_time(%s{namespace=%q,pod!=""}[%s]))`, metric, target.NamespaceApp, inQuery(v.timing.kubelet))
	err = v.poll(ctx, v.timing.kubelet, func(ctx context.Context) error {
		samples, err := v.mimir.Instant(ctx, promQL, time.Now())
		if err != nil {
			return err
		}
		values := map[string]float64{}
		for _, s := range samples {
			values[s.Labels["pod"]] = s.Value
		}
		var parts []string
		var errs []error
		for _, service := range services {
			pod, value := busiest(values, service)
			switch {
			case pod == "":
				errs = append(errs, fmt.Errorf("no %s of a pod of the %s within %v", metric, service, v.timing.kubelet))
			case value <= 0:
				errs = append(errs, fmt.Errorf("%s of %s is %v", metric, pod, value))
			default:
				parts = append(parts, fmt.Sprintf("%s %s", pod, inWords(value)))
			}
		}
		measured = strings.Join(parts, ", ")
		return errors.Join(errs...)
	})
	return measured, err
}

// measuredDisk waits for the backend's disk series. Where the kernel measures no pod's
// disk at all, not even that of the cluster's database, the node's own series is enough.
func (v *verifier) measuredDisk(ctx context.Context) (measured string, err error) {
	window := inQuery(v.timing.kubelet)
	_, counted, err := v.mimir.Scalar(ctx, fmt.Sprintf(`count(last_over_time(%s{pod!=""}[%s]))`, podDisk, window), time.Now())
	if err != nil {
		return "", err
	}
	if counted {
		return v.measuredPods(ctx, podDisk, target.Backend)
	}
	err = v.poll(ctx, v.timing.kubelet, func(ctx context.Context) error {
		used, found, err := v.mimir.Scalar(ctx, fmt.Sprintf(`max(last_over_time(container_fs_usage_bytes{id="/"}[%s]))`, window), time.Now())
		switch {
		case err != nil:
			return err
		case !found || used <= 0:
			return fmt.Errorf("no %s of a pod, and no container_fs_usage_bytes of a node, within %v", podDisk, v.timing.kubelet)
		}
		measured = "the nodes' own " + inWords(used) + "; this kernel measures no pod's disk"
		return nil
	})
	return measured, err
}

// busiest is the pod of the service with the highest value.
func busiest(values map[string]float64, service string) (pod string, value float64) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if isPodOf(name, service) && (pod == "" || values[name] > value) {
			pod, value = name, values[name]
		}
	}
	return pod, value
}

// isPodOf tells whether the pod's name is of the form that the service's Deployment
// gives its pods.
func isPodOf(pod, service string) bool { return strings.HasPrefix(pod, service+"-") }

// inWords writes a value with three digits and k, M or G.
func inWords(value float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if value >= unit.size {
			return fmt.Sprintf("%.3g%s", value/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", value)
}

// podsOf reads the pod of each service's span.
func podsOf(spans map[string]query.Span, pods map[string]string) (string, error) {
	var errs []error
	var names []string
	for _, service := range slices.Sorted(maps.Keys(spans)) {
		resource := spans[service].Resource
		pod, err := resource[podAttribute], wrongPod(service, resource[namespaceAttribute], resource[podAttribute], "")
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", title(spans[service]), err))
			continue
		}
		pods[service] = pod
		names = append(names, pod)
	}
	return strings.Join(names, ", "), errors.Join(errs...)
}

// wrongPod says why a namespace and a pod cannot be the service's, nil when they can.
// want is the one right pod; "" allows any pod of the service.
func wrongPod(service, namespace, pod, want string) error {
	switch {
	case namespace != target.NamespaceApp:
		return fmt.Errorf("%s is %q, not %q", namespaceAttribute, namespace, target.NamespaceApp)
	case want != "" && pod != want:
		return fmt.Errorf("%s is %q, not %q as in the trace", podAttribute, pod, want)
	case !isPodOf(pod, service):
		return fmt.Errorf("%s is %q, which is not a pod of the %s", podAttribute, pod, service)
	}
	return nil
}

// podLines checks the labels of the probe's access-log lines.
func (v *verifier) podLines(ctx context.Context, p *probe, pods map[string]string) (string, error) {
	if p.err != nil {
		return "", p.err
	}
	var names []string
	for _, service := range []string{target.Frontend, target.Backend} {
		var line query.Line
		err := v.poll(ctx, v.timing.line, func(ctx context.Context) error {
			lines, err := v.loki.Lines(ctx, `{service_name="`+service+`"} |~ "^request$" | trace_id="`+p.traceID+`"`,
				p.sent.Add(-time.Minute), time.Now(), 1)
			if err == nil && len(lines) == 0 {
				err = fmt.Errorf("Loki has no access-log line of the %s with the trace_id %s", service, p.traceID)
			}
			if err == nil {
				line = lines[0]
			}
			return err
		})
		if err != nil {
			return strings.Join(names, ", "), err
		}
		pod := line.Labels[underscored(podAttribute)]
		if err := wrongPod(service, line.Labels[underscored(namespaceAttribute)], pod, pods[service]); err != nil {
			return strings.Join(names, ", "), fmt.Errorf("the line of the %s: %w", service, err)
		}
		names = append(names, pod)
	}
	return strings.Join(names, ", "), nil
}

// podMetrics checks that the pods of the trace have their own request metric.
func (v *verifier) podMetrics(ctx context.Context, pods map[string]string) (string, error) {
	var names []string
	for _, service := range []string{target.Frontend, target.Backend} {
		if pods[service] == "" {
			return strings.Join(names, ", "), fmt.Errorf("the trace names no pod of the %s to look for", service)
		}
		selector := fmt.Sprintf(`http_server_request_duration_seconds_count{service_name=%q,%s=%q,%s=%q}`, service,
			underscored(namespaceAttribute), target.NamespaceApp, underscored(podAttribute), pods[service])
		_, err := v.alive(ctx, sumOver, selector, func(value float64) error {
			if value <= 0 {
				return fmt.Errorf("it is %v", value)
			}
			return nil
		})
		if err != nil {
			return strings.Join(names, ", "), err
		}
		names = append(names, pods[service])
	}
	return strings.Join(names, ", "), nil
}

// underscored is an attribute's name as a label of Loki or Mimir.
func underscored(attribute string) string { return strings.ReplaceAll(attribute, ".", "_") }
