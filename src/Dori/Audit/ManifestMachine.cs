namespace Dori.Audit;

/// <param name="ThreadsPerUnit">Kernels split their sums by it: another number may round differently.</param>
internal sealed record ManifestMachine(string Device, string Dtype, int ThreadsPerUnit, string Processor, string System, string Libtorch);
