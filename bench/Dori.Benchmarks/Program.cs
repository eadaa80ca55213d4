using BenchmarkDotNet.Running;
using Dori.Benchmarks;

// Without arguments: the whole-step benchmark, which prints ratios within one run. `micro`: BenchmarkDotNet on the small parts.
if (args is ["micro", ..]) BenchmarkSwitcher.FromAssembly(typeof(MicroBenchmarks).Assembly).Run(args[1..]);
else WholeSteps.Run(Console.Out, args);
