/*
 * kpflow.h: the whole C ABI of the native engine.
 *
 * Opaque handles, status codes, plain arrays. No C++ type and no exception crosses this boundary: every function that can
 * fail returns a status (KPFLOW_OK is 0) and leaves a one-line explanation in kpflow_last_error() of the calling thread.
 *
 * Conventions. All arrays are dense, row-major and contiguous, of the dtype named beside them. s is the number of probe
 * vectors in a block (leading axis), B trials, T steps, H units, n units of the state, g gate blocks, p trainable scalars,
 * k = B*T. A state is [B, T, n]; row (b, t) of a [k, *] array is b*T + t. Symbols are those of docs/theory.md.
 */
#ifndef KPFLOW_H
#define KPFLOW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ------------------------------------------------------------------------------------------------ status and errors */

enum kpflow_status {
  KPFLOW_OK = 0,
  KPFLOW_INVALID_ARGUMENT = 1, /* a size, pointer, name or handle is wrong */
  KPFLOW_OUT_OF_MEMORY = 2,    /* the predicted or requested bytes are not available */
  KPFLOW_NO_CONVERGENCE = 3,   /* an iteration ended early; what converged is in the outputs */
  KPFLOW_CANCELLED = 4,        /* kpflow_monitor.cancel was set */
  KPFLOW_CALLBACK_FAILED = 5,  /* a kpflow_matvec returned non-zero */
  KPFLOW_NUMERICAL = 6,        /* overflow or a NaN where a number is needed */
  KPFLOW_INTERNAL = 7,         /* a fault of this library */
  KPFLOW_UNAVAILABLE = 8       /* a device that this machine or this build does not have */
};

enum kpflow_dtype { KPFLOW_F32 = 1, KPFLOW_F64 = 2 };

/* Explanation of the last failure on this thread; never NULL, valid until the next call on this thread. */
const char* kpflow_last_error(void);

/* Version of the library, of its BLAS and of the CPU features the kernels use, as one line; static storage. */
const char* kpflow_build_info(void);

/* Shared by the caller and a running call: the caller sets cancel to stop it, the call counts its steps in done. */
typedef struct kpflow_monitor {
  int32_t cancel;
  int32_t reserved;
  int64_t done;
} kpflow_monitor;

/* ---------------------------------------------------------------------------------------------------------- context */

enum kpflow_device { KPFLOW_CPU = 0, KPFLOW_CUDA = 1 };

/*
 * Where work is done: on a device, with a pool of worker threads and scratch memory. Calls on one context run one after
 * another and return when their results are there. Arrays that a function takes as void* lie in the memory of the context's
 * device; those taken as double* or int64_t* lie in the caller's. The arrays of a model's description may lie in either, where the device
 * is not the CPU.
 */
typedef struct kpflow_context kpflow_context;

/* KPFLOW_UNAVAILABLE, with the reason, where the device is not to be had. */
int32_t kpflow_context_create(int32_t device, int32_t threads, kpflow_context** out);
void kpflow_context_destroy(kpflow_context* context);

/* One line on a device: its name, memory and what it is driven by; NULL, with kpflow_last_error, where it is not to be had.
 * Valid until the next call on this thread. */
const char* kpflow_device_info(int32_t device);

/* Names the library that CUDA contexts are made by, instead of libkpflow_cuda.so beside this library or what the environment
 * variable KPFLOW_CUDA_LIBRARY says. Of no effect once a call has looked for CUDA. */
void kpflow_set_cuda_library(const char* path);

/* The cores that this process may run on (affinity mask and cgroup quota), at least 1. */
int32_t kpflow_available_cores(void);

/* Bytes that can still be allocated on a device, without swapping on the CPU (MemAvailable, cgroup limit); -1 when it does not
 * say or is not there. */
int64_t kpflow_available_memory(int32_t device);

/* ---------------------------------------------------------------------------------------------------------- buffers */

/* 64-byte aligned, zero-filled memory of a device; NULL when it cannot be had. Freed with kpflow_buffer_free. */
void* kpflow_buffer_allocate(int32_t device, int64_t bytes);
void kpflow_buffer_free(int32_t device, void* buffer);

/* Copies between memory of a device and memory of the same device or of the CPU. */
int32_t kpflow_buffer_copy(int32_t device, const void* source, void* target, int64_t bytes);

/* ---------------------------------------------------------------------------------------------------- linearizations */

/* A model's forward pass and its linearization along it: a snapshot of weights, trajectory and derivatives, which only
 * another run (relinearize) changes. */
typedef struct kpflow_linearization kpflow_linearization;

/* Kinds of weights of a recurrent layer, in the order of the weight vector theta. Layer l's family of a kind has the number
 * KPFLOW_FAMILIES * l + kind. */
enum kpflow_family {
  KPFLOW_WEIGHT_IH = 0,
  KPFLOW_WEIGHT_HH = 1,
  KPFLOW_BIAS_IH = 2,
  KPFLOW_BIAS_HH = 3,
  KPFLOW_FAMILIES = 4
};

/*
 * One layer. The first reads x, so that n_in is its width d; any other reads h of the layer below at the same step, d = H.
 * The last three arrays are read for a cell computed by the caller: the sites v, the states and, per row, slots of H
 * numbers with all derivatives, A_j[c] = d next_c/d q_j by (j, c), C_j[c] = d next_c/d p_j by (j, c), D[c][d] = d next_c/d
 * previous_d by (c, d), S[d] = d v/d previous_d: 2 g m + m m + m slots. Those that a cell does not need are found by themselves.
 */
typedef struct kpflow_layer {
  int32_t trainable; /* bit f set: the weights of kind f are trainable (and present) */
  int32_t reserved;
  const void* weight_ih;   /* [g H, d] */
  const void* weight_hh;   /* [g H, H] */
  const void* bias_ih;     /* [g H] or NULL (zero) */
  const void* bias_hh;     /* [g H] or NULL (zero) */
  const void* sites;       /* [k, H] */
  const void* states;      /* [k, m H] */
  const void* derivatives; /* [k, slots, H] */
} kpflow_layer;

/*
 * A recurrent model and what it reads. All arrays have the same dtype and are copied; biases and states may be NULL. Its
 * state is that of its layers in order, each [m, H]: n = L m H.
 */
typedef struct kpflow_recurrent {
  const char* cell;      /* a name that kpflow_cell_shape knows, e.g. "gru"; NULL: computed by the caller */
  double cell_parameter; /* the leaky cell's dt; unused by the others */
  int32_t dtype;         /* kpflow_dtype of every array here, and of the operators */
  int32_t gates;         /* g and m of a cell computed by the caller; not read otherwise */
  int32_t components;
  int32_t reserved;
  int64_t trials;             /* B */
  int64_t steps;              /* T */
  int64_t inputs;             /* n_in */
  int64_t units;              /* H, of every layer */
  int64_t layer_count;        /* L */
  const kpflow_layer* layers; /* [L] */
  const void* input;          /* x, [B, T, n_in] */
  const void* initial;        /* h_0, [B, n] or NULL (zero); not read for a cell computed by the caller */
  const void* trajectory;     /* [B, T, n] or NULL: linearize along this state instead; not read like initial */
} kpflow_recurrent;

/* Gate blocks g and state components m of a cell; KPFLOW_INVALID_ARGUMENT for a name that is not known. */
int32_t kpflow_cell_shape(const char* cell, int32_t* gates, int32_t* components);

/* Runs the forward pass and stores the linearization. Fails with KPFLOW_NUMERICAL where the state is not finite. */
int32_t kpflow_recurrent_linearize(kpflow_context* context, const kpflow_recurrent* model, kpflow_monitor* monitor,
                                   kpflow_linearization** out);

/*
 * Runs a model into the linearization of another run of a recurrent model of the same dtype, whose memory it takes over and
 * keeps: of equal or smaller sizes, nothing is allocated. If it fails, the linearization can be run again or destroyed, and
 * all else is refused. For training; whoever else holds the linearization sees it change.
 */
int32_t kpflow_recurrent_relinearize(kpflow_linearization* linearization, const kpflow_recurrent* model,
                                     kpflow_monitor* monitor);
void kpflow_linearization_destroy(kpflow_linearization* linearization);

/* Sizes: out[0..7] = B, T, n, p, number of families, number of layers, m, 1 where the model steps through time. */
int32_t kpflow_linearization_sizes(const kpflow_linearization* linearization, int64_t* out);

/* A weight family: out[0..2] = n_f, m_f (0: the model does not have it), offset in theta (-1: frozen). */
int32_t kpflow_linearization_family(const kpflow_linearization* linearization, int32_t family, int64_t* out);

/* A layer, whose units K does not mix: out[0..2] = its first unit, its units H, where its state begins. Component c of
 * unit first + i is the state's entry begin + c H + i. */
int32_t kpflow_linearization_layer(const kpflow_linearization* linearization, int64_t layer, int64_t* out);

/* The state h [B, T, n]. */
int32_t kpflow_linearization_state(kpflow_linearization* linearization, void* out);

/* Sites V_f of a family, [k, m_f] (a bias has m_f = 1 and V_f = 1). */
int32_t kpflow_linearization_sites(kpflow_linearization* linearization, int32_t family, void* out);

/* Step Jacobians d h[b,t] / d h[b,t-1] for all trials and steps first..first+count-1, out [B, count, n, n]. Like the
 * exponents below, for models that step through time only. */
int32_t kpflow_linearization_step_jacobians(const kpflow_linearization* linearization, int64_t first, int64_t count,
                                            void* out);

/* The first count finite-time Lyapunov exponents per step, out [B, count] (f64), 1 <= count <= n: mean of ln|R_ii| of
 * Q_t R_t = J_t Q_{t-1}, Q_0 the first count columns of I, in QR order. They are the first ones of count = n.
 * smallest receives the smallest |R_ii| met: where it is 0 an exponent is -infinity. */
int32_t kpflow_linearization_lyapunov(kpflow_linearization* linearization, int64_t count, double* out, double* smallest,
                                      kpflow_monitor* monitor);

enum kpflow_operator {
  KPFLOW_P = 0,              /* [B,T,n] -> [B,T,n]   P = (I - D_h f)^{-1} */
  KPFLOW_P_INVERSE = 1,      /* [B,T,n] -> [B,T,n]   I - D_h f */
  KPFLOW_D_THETA = 2,        /* [p]     -> [B,T,n]   D_theta f at fixed state */
  KPFLOW_J = 3,              /* [p]     -> [B,T,n]   P D_theta f */
  KPFLOW_K = 4,              /* [B,T,n] -> [B,T,n]   D_theta f (D_theta f)*, self-adjoint */
  KPFLOW_NTK = 5,            /* [B,T,n] -> [B,T,n]   P K P*, self-adjoint */
  KPFLOW_D_GATES = 6,        /* [k,n_f] -> [B,T,n]   D_Q f of one family's pre-activations */
  KPFLOW_CORE = 7,           /* [k,n_f] -> [B,T,n]   P_core,f = P D_Q f */
  KPFLOW_TRIAL_JACOBIAN = 8, /* [B,p]   -> [B,T,n]   J with weights of its own for every trial */
  KPFLOW_OPERATORS = 9
};

/*
 * out = A in (adjoint = 0) or A* in (adjoint = 1) for a block of s vectors. family is read by D_GATES and CORE only.
 * in and out must not overlap. Every element of out is written. The result does not depend on the number of threads.
 * Scratch memory only grows: a call of the same op and s as an earlier one allocates nothing on workers that took part in
 * that one. Nor does a call of a smaller s, but for the gradients of a graph: those of few probes are summed in parts,
 * which more probes do not need.
 */
int32_t kpflow_linearization_apply(kpflow_linearization* linearization, int32_t op, int32_t family, int32_t adjoint,
                                   int64_t s, const void* in, void* out, kpflow_monitor* monitor);

/*
 * K = D_theta f (D_theta f)* does not mix units: it is a sum of blocks K_u [m k, m k], one per unit u, over pairs (c, i)
 * of a component and a row. For units first..first+count-1 of one layer: the eigenpairs of K_u above cut, from a pivoted
 * Cholesky factorization that leaves out a trace of at most tolerance. gram_first and gram_second [k, k] are the sums of
 * V V^T over the layer's trainable families with either kind of slopes, NULL where there is none:
 *
 *                      gram_first                          gram_second
 *   recurrent layer    weight_ih, bias_ih (slopes C)       weight_hh, bias_hh (slopes A)
 *   linear node        weight, bias (slopes phi')          not read
 *   layer norm         bias, beta (slopes 1)               weight, gamma: 1 1^T (slopes are its sites)
 *
 * ranks [count]; modes [count, most, m k], orthonormal rows, and values [count, most], descending; rest [count, 2]: bounds
 * on the norm and on the trace of what is left out of K_u. Where a rank exceeds most, that unit's modes are not written.
 */
int32_t kpflow_linearization_unit_modes(kpflow_linearization* linearization, const double* gram_first,
                                        const double* gram_second, int64_t first, int64_t count, double tolerance,
                                        double cut, int64_t most, int64_t* ranks, double* modes, double* values,
                                        double* rest, kpflow_monitor* monitor);

/* ------------------------------------------------------------------------------------------------ feed-forward graphs */

/* What a node computes, row by row but for attention. */
enum kpflow_node_kind {
  KPFLOW_NODE_LINEAR = 0, /* phi(W v + b) */
  KPFLOW_NODE_ATTENTION =
      1, /* softmax(Q K^T / sqrt(d)) Z over the steps of a trial, per head of d = units / heads units */
  KPFLOW_NODE_LAYER_NORM =
      2,               /* gamma (v - mean v) / sqrt(var v + epsilon) + beta over the units, var = mean (v - mean v)^2 */
  KPFLOW_NODE_ADD = 3, /* the sum of two inputs */
  KPFLOW_NODE_KINDS = 4
};

/* phi; gelu is z Phi(z) with the distribution function Phi of the normal distribution, relu'(0) = 0. */
enum kpflow_activation {
  KPFLOW_TANH = 0,
  KPFLOW_RELU = 1,
  KPFLOW_GELU = 2,
  KPFLOW_IDENTITY = 3,
  KPFLOW_ACTIVATIONS = 4
};

typedef struct kpflow_node {
  const char* name;   /* for messages, or NULL */
  int32_t kind;       /* kpflow_node_kind */
  int32_t activation; /* kpflow_activation, of a linear node */
  int32_t trainable;  /* bit 0: weight, bit 1: bias */
  int32_t causal;     /* attention: step t sees no later steps */
  int64_t units;      /* width of the output */
  int64_t heads;      /* attention: a divisor of units */
  int64_t inputs[3];  /* earlier nodes, -1 for x: one (linear, layer norm), two (add), or Q, K, Z */
  double epsilon;     /* layer norm: above 0 */
  const void* weight; /* linear: W [units, width of the input]; layer norm: gamma [units] or NULL (ones) */
  const void* bias;   /* linear, layer norm: [units] or NULL (zero) */
} kpflow_node;

/* A feed-forward model: its state is the concatenation of its nodes. All arrays have the same dtype and are copied. */
typedef struct kpflow_graph {
  int32_t dtype; /* kpflow_dtype of every array here, and of the operators */
  int32_t reserved;
  int64_t trials;           /* B */
  int64_t steps;            /* T */
  int64_t inputs;           /* n_in */
  int64_t count;            /* nodes */
  const kpflow_node* nodes; /* in topological order */
  const void* input;        /* x, [B, T, n_in] */
  const void* trajectory;   /* [B, T, n] or NULL: linearize along this state instead of the model's own */
} kpflow_graph;

/* Runs the forward pass and stores the linearization. Families are 2 j (weight of node j) and 2 j + 1 (its bias), theta has
 * them in this order; every node is a layer. Fails with KPFLOW_NUMERICAL where the state is not finite. */
int32_t kpflow_graph_linearize(kpflow_context* context, const kpflow_graph* model, kpflow_monitor* monitor,
                               kpflow_linearization** out);

/* As kpflow_recurrent_relinearize, of a graph. */
int32_t kpflow_graph_relinearize(kpflow_linearization* linearization, const kpflow_graph* model,
                                 kpflow_monitor* monitor);

/* ---------------------------------------------------------------------------------------------------- eigenproblems */

/* y = A x for one vector of the operator's dtype; non-zero stops the caller with KPFLOW_CALLBACK_FAILED. */
typedef int32_t (*kpflow_matvec)(void* user, const void* x, void* y);

enum kpflow_which { KPFLOW_LM = 0, KPFLOW_LA = 1, KPFLOW_SA = 2, KPFLOW_BE = 3 };

typedef struct kpflow_eigsh_options {
  int64_t modes;          /* k, 1 <= k < n */
  int64_t basis;          /* ncv, k < ncv <= n */
  int64_t max_iterations; /* restarts */
  double tolerance;       /* relative, 0 for machine precision */
  int32_t which;          /* kpflow_which */
  int32_t has_start;      /* start holds the first vector */
} kpflow_eigsh_options;

typedef struct kpflow_eigsh_info {
  int64_t converged;
  int64_t matvecs;
  int64_t iterations;
} kpflow_eigsh_info;

/*
 * Restarted Lanczos for a self-adjoint operator on R^n, on the context's device: ARPACK's on the CPU, our own elsewhere. The
 * operator is a linearization's (op, family; matvec NULL) or a callback, whose vectors lie in the device's memory. start [n]
 * may be overwritten. values [k] f64 in descending algebraic order, vectors [k, n] of the dtype, residuals [k] f64 =
 * ||A v - lambda v||. Only the first info->converged entries hold when the status is KPFLOW_NO_CONVERGENCE. On the CPU one
 * call at a time in the process (ARPACK keeps static state); a nested call is refused.
 */
int32_t kpflow_eigsh(kpflow_context* context, int32_t dtype, int64_t n, kpflow_linearization* linearization, int32_t op,
                     kpflow_matvec matvec, void* user, const kpflow_eigsh_options* options, void* start, double* values,
                     void* vectors, double* residuals, kpflow_eigsh_info* info, kpflow_monitor* monitor);

/* Eigenvalues (ascending) of a symmetric f64 matrix a [n,n]; with vectors != 0, a is overwritten by row eigenvectors. */
int32_t kpflow_symmetric_eigen(int64_t n, double* a, double* values, int32_t vectors);

/* Singular values (descending) of a [m,n] f64, overwritten; u [m,r] and vt [r,n], r = min(m,n), or both NULL. */
int32_t kpflow_svd(int64_t m, int64_t n, double* a, double* values, double* u, double* vt);

/* Orthonormal basis of the rows of a [m,n], m <= n, in place (Householder). */
int32_t kpflow_orthonormalize(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, void* a);

/* --------------------------------------------------------------------------------------------------------- training */

/* A linear read-out y = W h + b of units begin..begin+width-1 of rows of a state, h [rows, n]. */
typedef struct kpflow_readout {
  int32_t dtype; /* of every array here and in the calls */
  int32_t reserved;
  int64_t rows;       /* B T */
  int64_t units;      /* n */
  int64_t begin;      /* of the units that are read */
  int64_t width;      /* how many */
  int64_t outputs;    /* n_out */
  const void* weight; /* [n_out, width] */
  const void* bias;   /* [n_out] or NULL (zero) */
} kpflow_readout;

/* y [rows, n_out] of h [rows, n]. */
int32_t kpflow_readout_apply(kpflow_context* context, const kpflow_readout* readout, const void* state, void* y);

/* The adjoint: state [rows, n] = y W in the units that are read, 0 in the others. */
int32_t kpflow_readout_adjoint(kpflow_context* context, const kpflow_readout* readout, const void* y, void* state);

/* Gradients of W and b (NULL where it is not wanted) from those of the outputs: sums over rows of y^T h and of y. */
int32_t kpflow_readout_gradient(kpflow_context* context, const kpflow_readout* readout, const void* state,
                                const void* y, void* weight, void* bias);

/*
 * loss = sum (y - targets)^2 / N over the N entries of y [rows, n_out] whose row counts, and y becomes its derivative
 * (2 / N) (y - targets), 0 in rows that do not count. mask [rows] has 1 where a row counts and 0 elsewhere, or is NULL.
 */
int32_t kpflow_mean_squared_error(kpflow_context* context, int32_t dtype, int64_t rows, int64_t outputs, void* y,
                                  const void* targets, const void* mask, double* loss);

/* x = min(max(x, -limit), limit); a NaN stays one. */
int32_t kpflow_clamp(kpflow_context* context, int32_t dtype, int64_t count, double limit, void* x);

/*
 * Step number `step` (1 for the first) of Adam: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
 * theta -= rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon).
 */
int32_t kpflow_adam_step(kpflow_context* context, int32_t dtype, int64_t count, int64_t step, double rate, double beta1,
                         double beta2, double epsilon, const void* gradient, void* m, void* v, void* theta);

/* Shampoo's statistics of a gradient G [m,n], in f64: left [m,m] += G G^T, right [n,n] += G^T G; right may be NULL. */
int32_t kpflow_shampoo_accumulate(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, const void* gradient,
                                  void* left, void* right);

/* out [n,n] = A^(-1/root) of a symmetric positive semidefinite a [n,n], root 2 or 4; eigenvalues below floor > 0 count as
 * floor. a is kept. */
int32_t kpflow_inverse_root(kpflow_context* context, int64_t n, const void* a, int32_t root, double floor, void* out);

/* theta [m,n] -= rate left G right, formed in f64, with left [m,m] and right [n,n] (NULL: the identity). */
int32_t kpflow_shampoo_step(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, double rate, const void* left,
                            const void* gradient, const void* right, void* theta);

/* --------------------------------------------------------------------------------------------------- array primitives */

/* y = alpha x + beta y over count elements; beta = 0 does not read y. */
int32_t kpflow_axpby(kpflow_context* context, int32_t dtype, int64_t count, double alpha, const void* x, double beta,
                     void* y);

/* out[r] = <x_r, y_r> for each of rows rows of columns elements, accumulated in f64 in a fixed order. */
int32_t kpflow_dot(kpflow_context* context, int32_t dtype, int64_t rows, int64_t columns, const void* x, const void* y,
                   double* out);

/* C = alpha op(A) op(B) + beta C, row-major: op(A) [m,k], op(B) [k,n], C [m,n]. */
int32_t kpflow_gemm(kpflow_context* context, int32_t dtype, int32_t transpose_a, int32_t transpose_b, int64_t m,
                    int64_t n, int64_t k, double alpha, const void* a, const void* b, double beta, void* c);

/* out = x y^T [m,s] in f64 for tall blocks x [m,n], y [s,n], summed over the columns in f64 in a fixed order. */
int32_t kpflow_row_products(kpflow_context* context, int32_t dtype, int64_t m, int64_t s, int64_t n, const void* x,
                            const void* y, double* out);

/* The first k rows of x [m,n] become coefficients x, with coefficients [k,m] in f64 and k at most m; the others stay. */
int32_t kpflow_combine_rows(kpflow_context* context, int32_t dtype, int64_t k, int64_t m, int64_t n,
                            const double* coefficients, void* x);

/*
 * For every index of an array of the given shape (up to KPFLOW_MAX_AXES axes, strides in elements; a zero stride repeats):
 * y[index . y_strides] = alpha x[index . x_strides] + beta y[index . y_strides], in row-major order of index.
 * x_dtype and y_dtype may differ. The caller guarantees that both stay inside x_count and y_count elements; it is checked.
 */
#define KPFLOW_MAX_AXES 8
int32_t kpflow_strided_axpby(kpflow_context* context, int32_t axes, const int64_t* shape, double alpha, int32_t x_dtype,
                             const void* x, int64_t x_count, const int64_t* x_strides, double beta, int32_t y_dtype,
                             void* y, int64_t y_count, const int64_t* y_strides);

/*
 * out += alpha sum over samples and traced axes of x x^T: x [s, B, T, n]; bit 0, 1, 2 of keep marks B, T, n as kept (at
 * least one). out [d, d] f64 like x in the device's memory, d the product of the kept sizes, row-major over the kept axes in order.
 */
int32_t kpflow_accumulate_gram(kpflow_context* context, int32_t dtype, int64_t s, int64_t trials, int64_t steps,
                               int64_t units, const void* x, int32_t keep, double alpha, void* out,
                               kpflow_monitor* monitor);

/*
 * A matrix U whose columns [R, m k] live on one of the units [L, H] of a state [k, L, m, H] each: those of unit u that
 * take part are first[u] .. first[u] + count[u] - 1. combine: out [s, k, L, m, H] = alpha U z + beta out, z [s, R].
 * coefficients: z = U^T x, x [s, k, L, m, H], zero for columns that take no part.
 */
int32_t kpflow_unit_combine(kpflow_context* context, int32_t dtype, int64_t s, int64_t rows, int64_t layers,
                            int64_t components, int64_t units, int64_t total, const int64_t* first,
                            const int64_t* count, const void* columns, double alpha, const void* z, double beta,
                            void* out, kpflow_monitor* monitor);
int32_t kpflow_unit_coefficients(kpflow_context* context, int32_t dtype, int64_t s, int64_t rows, int64_t layers,
                                 int64_t components, int64_t units, int64_t total, const int64_t* first,
                                 const int64_t* count, const void* columns, const void* x, void* z,
                                 kpflow_monitor* monitor);

/* Distributions of kpflow_fill_random. */
enum kpflow_distribution { KPFLOW_GAUSSIAN = 0, KPFLOW_RADEMACHER = 1, KPFLOW_UNIFORM = 2 };

/*
 * Element i of out is a function of (seed, offset + i) alone: Philox4x32-10 counters. Gaussian by Box-Muller in f64,
 * rounded to the dtype; uniform on (0, 1) before rounding.
 */
int32_t kpflow_fill_random(kpflow_context* context, int32_t dtype, int32_t distribution, uint64_t seed, int64_t offset,
                           int64_t count, void* out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
