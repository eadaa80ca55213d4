using Dori.Native;

namespace Dori.Tests.Native;

[Collection("EmojiHooks")] // what it switches is the whole process's
public class TorchContextTests
{
    private static bool IsKnown => NativeLibraries.Loaded is not null;

    [Fact]
    public void What_is_switched_reaches_libtorch()
    {
        NativeLibraries.Check();
        if (!IsKnown) return; // another system
        Assert.False(TorchContext.AllowsTf32);
        Assert.False(TorchContext.IsDeterministic);
        try
        {
            TorchContext.Deterministic(true);
            Assert.True(TorchContext.IsDeterministic);
        }
        finally
        {
            TorchContext.Deterministic(false);
        }
        Assert.False(TorchContext.IsDeterministic);
    }

    [Fact]
    public void Libtorch_says_how_it_was_built()
    {
        NativeLibraries.Check();
        if (!IsKnown) return;
        Assert.Contains($"TORCH_VERSION={NativeLibraries.Version}", TorchContext.Config, StringComparison.Ordinal);
        if (!TorchSharp.torch.cuda.is_available()) Assert.Null(TorchContext.Cuda);
    }
}
