using BenchmarkDotNet.Attributes;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using TorchSharp;

namespace Dori.Benchmarks;

/// <summary>The small parts around the networks: none of them should ever show in an audit's time.</summary>
[MemoryDiagnoser]
public class MicroBenchmarks
{
    private static readonly string s_model = WholeSteps.BuiltInModel;
    private readonly ClipTokenizer _tokenizer = ClipTokenizer.Load(Path.Combine(s_model, "tokenizer"));
    private readonly RandomSource _random = RandomSource.For("bench");

    [Benchmark]
    public int[] Tokenize() => _tokenizer.EncodePadded("pea pod and pinched fingers on a wavy brown background");

    [Benchmark]
    public void NoiseOfASearchStep() => _random.Normal(8, 4, 64, 64).Dispose();

    [Benchmark]
    public int OpenSafetensors()
    {
        using WeightSet weights = WeightSet.Open(Path.Combine(s_model, "unet"), "diffusion_pytorch_model");
        return weights.Names.Count;
    }

    [Benchmark]
    public void LoadModel()
    {
        using torch.Tensor _ = torch.empty(1);
        DiffusionModel.Load(s_model).Dispose();
    }
}
