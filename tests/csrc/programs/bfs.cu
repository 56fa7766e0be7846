// Breadth-first search on a graph in CSR form: a kernel per level, a frontier queue, warp-aggregated pushes.
#include <cstdio>
#include <queue>
#include <utility>
#include <vector>
using namespace std;

#define INF 0x7fffffff
#define CUDA_CALL(x) do { if((x) != cudaSuccess) { \
    printf("Error at %s:%d\n",__FILE__,__LINE__); \
    return EXIT_FAILURE;}} while(0)

struct Graph
{
    int numVertices;
    int numEdges;
    const int* __restrict__ rowOffsets;
    const int* __restrict__ columns;
};

__device__ int d_queueSize;
__device__ __managed__ int d_edgesSeen = 0;

__device__ __forceinline__ int laneId() { return threadIdx.x & (warpSize - 1); }

// One atomic for all the lanes of a warp that push now.
__device__ int aggregatedIncrement(int* counter)
{
    unsigned mask = __activemask();
    int leader = __ffs(mask) - 1;
    int base = 0;
    if (laneId() == leader)
        base = atomicAdd(counter, __popc(mask));
    base = __shfl_sync(mask, base, leader);
    return base + __popc(mask & ((1u << laneId()) - 1));
}

__global__ void expand(Graph g, const int* frontier, int frontierSize, int* next, int* distance, int level)
{
    int tid = blockIdx.x * blockDim.x + threadIdx.x;
    if (tid >= frontierSize)
        return;
    int u = frontier[tid];
    for (int e = g.rowOffsets[u]; e < g.rowOffsets[u + 1]; ++e)
    {
        int v = g.columns[e];
        if (atomicCAS(&distance[v], INF, level + 1) == INF)
            next[aggregatedIncrement(&d_queueSize)] = v;
    }
    atomicAdd(&d_edgesSeen, g.rowOffsets[u + 1] - g.rowOffsets[u]);
}

int main()
{
    const int n = 700;
    vector<vector<int>> adjacency(n);
    unsigned state = 2463534242u;
    auto next_random = [&state]() { state ^= state << 13; state ^= state >> 17; state ^= state << 5; return state; };
    for (int i = 0; i < 1500; i++)
    {
        int a = next_random() % (n - 20), b = next_random() % (n - 20);   // the last 20 are not connected
        adjacency[a].push_back(b);
        adjacency[b].push_back(a);
    }
    vector<int> rows(1, 0), columns;
    for (auto& list : adjacency)
    {
        columns.insert(columns.end(), list.begin(), list.end());
        rows.push_back((int)columns.size());
    }

    int *d_rows, *d_columns, *d_frontier, *d_next, *d_distance;
    CUDA_CALL(cudaMalloc(&d_rows, rows.size() * sizeof(int)));
    CUDA_CALL(cudaMalloc(&d_columns, columns.size() * sizeof(int)));
    CUDA_CALL(cudaMalloc(&d_frontier, n * sizeof(int)));
    CUDA_CALL(cudaMalloc(&d_next, n * sizeof(int)));
    CUDA_CALL(cudaMalloc(&d_distance, n * sizeof(int)));
    CUDA_CALL(cudaMemcpy(d_rows, rows.data(), rows.size() * sizeof(int), cudaMemcpyHostToDevice));
    CUDA_CALL(cudaMemcpy(d_columns, columns.data(), columns.size() * sizeof(int), cudaMemcpyHostToDevice));

    vector<int> distance(n, INF);
    const int source = 0;
    distance[source] = 0;
    CUDA_CALL(cudaMemcpy(d_distance, distance.data(), n * sizeof(int), cudaMemcpyHostToDevice));
    CUDA_CALL(cudaMemcpy(d_frontier, &source, sizeof(int), cudaMemcpyHostToDevice));

    Graph graph = {n, (int)columns.size(), d_rows, d_columns};
    int frontierSize = 1, level = 0;
    while (frontierSize > 0)
    {
        int zero = 0;
        CUDA_CALL(cudaMemcpyToSymbol(d_queueSize, &zero, sizeof(int)));
        expand<<<(frontierSize + 63) / 64, 64>>>(graph, d_frontier, frontierSize, d_next, d_distance, level);
        CUDA_CALL(cudaGetLastError());
        CUDA_CALL(cudaMemcpyFromSymbol(&frontierSize, d_queueSize, sizeof(int)));
        swap(d_frontier, d_next);
        ++level;
    }
    CUDA_CALL(cudaMemcpy(distance.data(), d_distance, n * sizeof(int), cudaMemcpyDeviceToHost));

    vector<int> expected(n, INF);
    queue<int> open;
    expected[source] = 0;
    open.push(source);
    int edges = 0, reached = 0;
    while (!open.empty())
    {
        int u = open.front();
        open.pop();
        ++reached;
        for (int v : adjacency[u])
        {
            ++edges;
            if (expected[v] == INF)
            {
                expected[v] = expected[u] + 1;
                open.push(v);
            }
        }
    }
    printf("%d levels, %d of %d vertices, %d edges\n", level, reached, n, d_edgesSeen);
    bool ok = expected == distance && edges == d_edgesSeen;
    cudaFree(d_rows); cudaFree(d_columns); cudaFree(d_frontier); cudaFree(d_next); cudaFree(d_distance);
    puts(ok ? "PASS" : "FAIL");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
