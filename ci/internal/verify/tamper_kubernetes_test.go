package verify

import (
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// podTamperings break what a cluster adds.
func podTamperings() []tampering {
	const spansPods, linesPods, metricsPods = "kubernetes: a trace names its pods", "kubernetes: log lines name the same pods", "kubernetes: metrics name the same pods"
	const diskPods = "kubernetes: disk of the pods"
	resource := func(service, key, value string) func(*fake) {
		return ofSpan(hop(service, query.Server), func(s *query.Span, _ []query.Span) { s.Resource[key] = value })
	}
	label := func(key, value string) func(query.Line) []query.Line {
		return func(l query.Line) []query.Line {
			l.Labels[key] = value
			return []query.Line{l}
		}
	}
	// The labels of the frontend's request metric.
	metric := func(change func(labels)) func(*fake) {
		return func(f *fake) {
			f.samples = func(_ exchange, l labels, by float64) float64 {
				if l["service_name"] == "frontend" && l["k8s_pod_name"] != "" {
					change(l)
				}
				return by
			}
		}
	}
	const cpu, disk = "container_cpu_usage_seconds_total", "container_fs_writes_bytes_total"
	out := []tampering{
		{name: "CPU of one pod only", do: hide(cpu, "pod", podOf("backend")), fails: []string{"kubernetes: CPU of the pods"}, says: "of a pod of the backend"},
		{name: "CPU of another namespace", do: func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, s := range f.series {
				if s.labels["__name__"] == cpu {
					s.labels["namespace"] = "other"
				}
			}
		}, fails: []string{"kubernetes: CPU of the pods"}, says: "of a pod of the frontend"},
		{name: "CPU that is not measured any more", do: func(f *fake) { f.frozen = series1(cpu, "namespace", "app") }, fails: []string{"kubernetes: CPU of the pods"}, says: "of a pod of the frontend"},
		{name: "a disk that is never written to", do: func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(labels{"__name__": disk, "namespace": "app", "pod": podOf("backend")}, 0, 0)
		}, fails: []string{diskPods}, says: "is 0"},

		{name: "a span without its pod", do: resource("frontend", "k8s.pod.name", ""), fails: []string{spansPods, metricsPods}, says: `k8s.pod.name is "", which is not a pod of the frontend`},
		{name: "a span with another's pod", do: resource("backend", "k8s.pod.name", podOf("frontend")), fails: []string{spansPods, metricsPods}, says: "which is not a pod of the backend"},
		{name: "a span of another namespace", do: resource("backend", "k8s.namespace.name", "default"), fails: []string{spansPods, metricsPods}, says: `k8s.namespace.name is "default"`},
		{name: "a line without its pod", do: ofLines("probe", "frontend", label("k8s_pod_name", "")), fails: []string{linesPods}, says: `the line of the frontend: k8s.pod.name is ""`},
		{name: "a line of another pod", do: ofLines("probe", "backend", label("k8s_pod_name", "backend-1-2")), fails: []string{linesPods}, says: `"backend-1-2", not`},
		{name: "a line without its namespace", do: ofLines("probe", "backend", label("k8s_namespace_name", "")), fails: []string{linesPods}, says: "k8s.namespace.name"},
		{name: "a metric without its pod", do: metric(func(l labels) { delete(l, "k8s_pod_name") }), fails: []string{metricsPods}, says: "Mimir has no sample of"},
		{name: "a metric of another pod", do: metric(func(l labels) { l["k8s_pod_name"] = "frontend-1-2" }), fails: []string{metricsPods}, says: "Mimir has no sample of"},
		{name: "a metric without its namespace", do: metric(func(l labels) { delete(l, "k8s_namespace_name") }), fails: []string{metricsPods}, says: "Mimir has no sample of"},
	}
	for name, metric := range map[string]string{
		"CPU": cpu, "memory": "container_memory_working_set_bytes", "network": "container_network_receive_bytes_total",
	} {
		out = append(out, tampering{name: "no " + name + " of the pods", do: hide(metric, "namespace", "app"),
			fails: []string{"kubernetes: " + name + " of the pods"}, says: "no " + metric + " of a pod of the"})
	}
	out = append(out,
		tampering{name: "a disk of one pod only", do: hide(disk, "pod", podOf("backend")), fails: []string{diskPods}, says: "of a pod of the backend"},
		tampering{name: "no disk at all", do: func(f *fake) {
			f.hidden = func(l labels) bool { return strings.HasPrefix(l["__name__"], "container_fs_") }
		}, fails: []string{diskPods}, says: "container_fs_"},
	)
	for i := range out {
		out[i].kubernetes = true
	}
	return out
}
