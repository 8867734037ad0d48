package manifests

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// JobOptions is what a Job runs.
type JobOptions struct {
	// ID tells the runs of one kind apart: the Job is called kind-ID. Empty, it
	// is called after its kind, and the one before must be deleted first.
	ID string
	// Image is the reference of the lab image, whose entrypoint is `lab`.
	Image string
	// Pull says whether a node fetches the image; empty is never, for a cluster that
	// images are loaded into.
	Pull corev1.PullPolicy
	// Args are its arguments.
	Args []string
	// Env is added to its environment.
	Env map[string]string
	// Timeout ends a Job that takes longer; 0 means 15 minutes.
	Timeout time.Duration
	// TTL is how long the Job is kept once it has ended, for its log to be read;
	// 0 means an hour.
	TTL time.Duration
}

// The label by which the network policies know a Job's pods, which may ask every
// component.
const (
	componentLabel = "app.kubernetes.io/component"
	jobComponent   = "job"
)

// nobody is the account of the base image of ours.
const nobody = 65532

// jobName is the shape of a Job's name; a pod's is 6 longer and has to fit into 63.
var jobName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$`)

// Job returns the manifest of a Job of the lab image in the namespace
// observability, which runs once and is not tried again. kind says what it does,
// "traffic" or "verify", and names it.
func Job(kind string, o JobOptions) ([]byte, error) {
	name := kind
	if o.ID != "" {
		name += "-" + o.ID
	}
	if !jobName.MatchString(name) {
		return nil, fmt.Errorf("job %q: not a name of small letters, digits and dashes", name)
	}
	if o.Pull == "" {
		o.Pull = corev1.PullNever
	}
	if o.Image == "" {
		return nil, errors.New("job " + name + ": no image")
	}
	labels := map[string]string{
		"app.kubernetes.io/name":     kind,
		"app.kubernetes.io/instance": name,
		"app.kubernetes.io/part-of":  "lgtm-lab",
		componentLabel:               jobComponent,
	}
	job := batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: target.NamespaceObservability, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit:            new(int32(0)),
			ActiveDeadlineSeconds:   new(seconds(o.Timeout, 15*time.Minute)),
			TTLSecondsAfterFinished: new(int32(seconds(o.TTL, time.Hour))),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       o.pod(),
			},
		},
	}
	return marshal(job)
}

func (o JobOptions) pod() corev1.PodSpec {
	env := []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "200MiB"}, {Name: "NO_COLOR", Value: "1"}}
	for _, key := range slices.Sorted(maps.Keys(o.Env)) {
		env = append(env, corev1.EnvVar{Name: key, Value: o.Env[key]})
	}
	return corev1.PodSpec{
		ServiceAccountName:            "lab",
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(int64(15)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(int64(nobody)),
			RunAsGroup:     new(int64(nobody)),
			FSGroup:        new(int64(nobody)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name:            "lab",
			Image:           o.Image,
			ImagePullPolicy: o.Pull,
			Args:            o.Args,
			Env:             env,
			WorkingDir:      "/tmp",
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("96Mi"),
				},
				Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
			},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				ReadOnlyRootFilesystem:   new(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			// A failure's last lines are then in the pod's status.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			VolumeMounts:             []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}},
		}},
		Volumes: []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("64Mi"))},
		}}},
	}
}

// seconds is d in seconds, rounded up, or the other when it is 0.
func seconds(d, or time.Duration) int64 {
	if d == 0 {
		d = or
	}
	return int64((d + time.Second - 1) / time.Second)
}

// marshal writes an object without its status, which is the cluster's to write.
func marshal(object any) ([]byte, error) {
	raw, err := yaml.Marshal(object)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	return yaml.Marshal(fields)
}
