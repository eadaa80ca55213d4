using Dori.Audit;
using Dori.Diffusion;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Control;

public sealed class ControlWeightsTests
{
    /// <summary>What one encoder lost, the other may hide.</summary>
    [Fact]
    public void Both_text_encoders_are_looked_at()
    {
        using var tiny = new SdxlTiny();
        using DiffusionModel model = DiffusionModel.Load(tiny.Folder);
        double before = Dead(model);
        using (no_grad())
            model.TextEncoder2!.named_parameters()
            .First(p => p.name.EndsWith("mlp.fc1.weight", StringComparison.Ordinal)).parameter.zero_();
        Assert.Equal(before + 1, Dead(model));
    }

    private static double Dead(DiffusionModel model) =>
        ControlWeights.Figures(model)
            .Single(figure => figure.Name.Contains("second text encoder that are zero", StringComparison.Ordinal)).Value!.Value;
}
